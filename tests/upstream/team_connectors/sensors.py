"""Sensors. Nothing registers them: flytekit's sensor connector imports them by module and name."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Optional

from flytekit.sensor.base_sensor import BaseSensor


class FileThere(BaseSensor):
    """Waits for a file."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)

    async def poke(self, path: str) -> bool:
        return Path(path).exists()


class LinesThere(BaseSensor):
    """Waits for a file with a number of lines; the number is in its configuration."""

    def __init__(self, name: str, config: Optional[dict] = None, **kwargs: Any) -> None:
        super().__init__(name=name, **kwargs)
        self._lines = int(config["lines"]) if config else 1

    async def poke(self, path: str, least: int = 0) -> bool:
        file = Path(path)
        return file.exists() and len(file.read_text().splitlines()) >= max(self._lines, least)


class Raising(BaseSensor):
    """Cannot look until the file is there."""

    async def poke(self, path: str) -> bool:
        if not Path(path).exists():
            raise ConnectionError(f"cannot look at {path}")
        return True


class Blocking(BaseSensor):
    """Sleeps in the event loop, as an author does who forgets that poke is async."""

    async def poke(self, path: str, seconds: float) -> bool:
        time.sleep(seconds)
        return Path(path).exists()
