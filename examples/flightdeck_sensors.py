"""Sensors that Flightdeck has built in beside flytekit's FileSensor.

Copy this file into your project as it is, under this name: Flightdeck knows the sensors by their module,
`flightdeck_sensors`, and their class. It runs them itself, without Python; flytekit's own connector service runs
these classes if the file is on its PYTHONPATH.

    wait = FileCountSensor(name="parts", timeout=timedelta(hours=6))

    @workflow
    def load(day: str):
        wait(path=f"s3://raw/{day}/", count=24) >> load_parts(day=day)
"""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass
from datetime import datetime, timezone
from typing import Any, Optional

import fsspec
import httpx
from flytekit import FlyteContextManager
from flytekit.sensor.base_sensor import BaseSensor


def _filesystem(path: str) -> fsspec.AbstractFileSystem:
    file_access = FlyteContextManager.current_context().file_access
    return file_access.get_filesystem_for_path(path)


class TimeSensor(BaseSensor):
    """Waits until an instant: `until` is ISO 8601 with the offset from UTC, as `datetime.isoformat` of an aware
    datetime writes it."""

    async def poke(self, until: str) -> bool:
        at = datetime.fromisoformat(until)
        if at.tzinfo is None:
            raise ValueError(f"{until!r} has no offset from UTC")
        return datetime.now(timezone.utc) >= at


class FileNewerSensor(BaseSensor):
    """Waits until a file or an object was written after an instant (see TimeSensor)."""

    async def poke(self, path: str, since: str) -> bool:
        def newer() -> bool:
            files = _filesystem(path)
            if not files.isfile(path):
                return False
            written = files.modified(path)
            if written.tzinfo is None:
                written = written.replace(tzinfo=timezone.utc)
            return written > datetime.fromisoformat(since)

        return await asyncio.to_thread(newer)


class FileCountSensor(BaseSensor):
    """Waits until there are at least `count` files or objects below a folder, at any depth."""

    async def poke(self, path: str, count: int) -> bool:
        return len(await asyncio.to_thread(lambda: _filesystem(path).find(path))) >= count


@dataclass
class HttpCondition:
    """What an answer must be: all of what is set."""

    status: int = 200
    header: Optional[str] = None
    """A header that it has, and if `value` is set, with this value."""
    value: Optional[str] = None
    json: Optional[str] = None
    """Where in its JSON to look, "job.runs.0.state"; what is there must be true, or equal to `equals`."""
    equals: Any = None

    def to_dict(self) -> dict[str, Any]:
        return {key: value for key, value in asdict(self).items() if value is not None}

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> HttpCondition:
        return cls(**fields)


class HttpSensor(BaseSensor):
    """Waits until a web server answers as it is to: HttpSensor(name="job", condition=HttpCondition(...))."""

    def __init__(
        self,
        name: str,
        condition: Optional[HttpCondition] = None,
        config: Optional[dict[str, Any]] = None,
        **kwargs: Any,
    ) -> None:
        self._condition = condition or HttpCondition.from_dict(config or {})
        super().__init__(name=name, sensor_config=self._condition, **kwargs)

    async def poke(self, url: str) -> bool:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            answer = await client.get(url)
        wanted = self._condition
        if answer.status_code != wanted.status:
            return False
        if wanted.header is not None:
            values = answer.headers.get_list(wanted.header)
            if not values or wanted.value is not None and wanted.value not in values:
                return False
        return wanted.json is None or self._finds(answer)

    def _finds(self, answer: httpx.Response) -> bool:
        try:
            found = answer.json()
            for key in filter(None, self._condition.json.split(".")):
                found = found[int(key)] if isinstance(found, list) else found[key]
        except (ValueError, KeyError, IndexError, TypeError):
            return False
        return bool(found) if self._condition.equals is None else found == self._condition.equals
