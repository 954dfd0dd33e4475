"""Asks one service about the team's tasks. Jobs and files of different services have different names, for all share
one backend; in what was observed the part that differs is taken out again."""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from flyteidl.admin import agent_pb2
from flyteidl.core import tasks_pb2, types_pb2

from build import Literal, create_request, header, inputs, sensor_template, string, struct
from client import Client, Fields, error_fields, reply_fields
from deployments import Deployments
from google.protobuf.message import Message
from grpc import RpcError
from services import CALL_LIMIT, Service

WAIT_LIMIT = 15.0
"""Seconds until what must come has come."""

_TAGS = itertools.count(100)


class Team:
    """A service, the folder of jobs behind it and the folder of files that its sensors look at."""

    def __init__(self, service: Service, client: Client, place: Deployments) -> None:
        self.service, self.client = service, client
        self._jobs, self._files = place.jobs, place.files
        self.tag = f"svc{next(_TAGS)}"

    # names

    def job(self, name: str) -> str:
        return f"{self.tag}-{name}"

    def file(self, name: str) -> Path:
        return self._files / f"{self.tag}-{name}"

    def set_stage(self, name: str, phase: str) -> None:
        """Play the backend: from now on the job is in this phase."""
        new = self._jobs / f"{self.job(name)}.new"
        new.write_text(phase)
        new.rename(self._jobs / f"{self.job(name)}.stage")

    def done_with(self, name: str) -> dict[str, list[str]]:
        """The jobs that were created under a name, and what was done with each."""
        files = sorted(self._jobs.glob(f"{self.job(name)}.[0-9]*"))
        return {file.name: file.read_text().splitlines() for file in files}

    def told(self, fields: Fields) -> Fields:
        """What was observed, without what is this service's alone."""
        return {name: self._untagged(value) for name, value in fields.items()}

    def _untagged(self, value: Any) -> Any:
        if isinstance(value, str):
            return value.replace(self.tag, "svc")
        if isinstance(value, bytes):
            return value.replace(self.tag.encode(), b"svc")
        if isinstance(value, list):
            return [self._untagged(item) for item in value]
        if isinstance(value, dict):
            return {self._untagged(key): self._untagged(item) for key, item in value.items()}
        return value

    # calls

    def create(self, request: agent_pb2.CreateTaskRequest) -> tuple[bytes, Fields]:
        """The handle, and what else is to be said about the Create."""
        fields = self.client.create(request)
        handle = fields.pop("resource_meta", b"")
        return handle, self.told(fields | handle_fields(handle))

    def get(self, handle: bytes, category: str, version: int = 0) -> Fields:
        return self.told(without_calls(self.client.get(handle, category, version)))

    def get_until(self, good: Callable[[Fields], bool], handle: bytes, category: str, version: int = 0) -> Fields:
        """The first Get that is as it should be, or the last one."""
        end = time.monotonic() + WAIT_LIMIT
        while not good(fields := self.get(handle, category, version)) and time.monotonic() < end:
            time.sleep(0.05)
        return fields

    def get_phase(self, phase: str, handle: bytes, category: str, version: int = 0) -> Fields:
        """The first Get with this phase. flytekit's errors do not go away by waiting."""
        return self.get_until(lambda f: f["code"] != "OK" or f["phase"] == phase, handle, category, version)

    def delete(self, handle: bytes, category: str, version: int = 0) -> Fields:
        return self.told(without_calls(self.client.delete(handle, category, version)))

    def execute(self, template: tasks_pb2.TaskTemplate, items: dict[str, Literal] | None = None) -> Fields:
        return self.told(self.client.execute(header(template), inputs(items)))

    def logs(self, handle: bytes, category: str) -> Fields:
        """The lines of all replies."""
        request = agent_pb2.GetTaskLogsRequest(resource_meta=handle)
        request.task_category.name = category
        try:
            replies = list(self.service.tasks.GetTaskLogs(request, timeout=CALL_LIMIT))
        except RpcError as error:
            return self.told(error_fields(error))
        return self.told({"code": "OK", "lines": list(_lines(replies))})

    def metrics(self, handle: bytes, category: str) -> Fields:
        request = agent_pb2.GetTaskMetricsRequest(resource_meta=handle)
        request.task_category.name = category
        return self.told(without_calls(self.client.unary(self.service.tasks.GetTaskMetrics, request)))

    def observe(self, call: Callable[[], Message]) -> Fields:
        try:
            return self.told(reply_fields(call()))
        except RpcError as error:
            return self.told(error_fields(error))


def _lines(replies: Iterable[agent_pb2.GetTaskLogsResponse]) -> Iterable[str]:
    for reply in replies:
        yield from reply.body.results
        yield from (line.message for line in reply.body.structured_lines)


def handle_fields(handle: bytes) -> Fields:
    """The meta in a handle, and how much there is beside it. A meta that is JSON is written anew: the order of keys
    that come from a protobuf map is not flytekit's own."""
    end, begin = handle.rfind(b"}") + 1, -1
    while (begin := handle.find(b'{"', begin + 1)) >= 0:
        try:
            meta = json.loads(handle[begin:end])
        except ValueError:  # an id may look like the beginning
            continue
        written = json.dumps(meta, sort_keys=True, ensure_ascii=False)
        return {"meta": written, "beside": len(handle) - (end - begin)}
    return {"meta": repr(handle), "beside": 0}


def without_calls(fields: Fields) -> Fields:
    """Without what counts calls, for those that are repeated until something is there."""
    return {name: value for name, value in fields.items() if not name.startswith(("metric.", "http."))}


def prefixed(prefix: str, fields: Fields) -> Fields:
    return {f"{prefix}.{name}": value for name, value in fields.items()}


def template(task_type: str, custom: dict[str, Any], **fields: Any) -> tasks_pb2.TaskTemplate:
    made = tasks_pb2.TaskTemplate(type=task_type, **fields)
    made.custom.CopyFrom(struct(custom))
    return made


def job_request(job: str, task_type: str = "team_job", **custom: Any) -> agent_pb2.CreateTaskRequest:
    """A Create of one of the team's jobs."""
    return create_request(template(task_type, {"job": job} | custom), {}, "s3://bucket/prefix")


def sensor_request(
    sensor: str,
    items: dict[str, Literal],
    config: dict[str, Any] | None = None,
    interface: dict[str, types_pb2.LiteralType] | None = None,
    module: str = "team_connectors.sensors",
) -> agent_pb2.CreateTaskRequest:
    """A Create of one of the team's sensors, as flytekit's compiler writes it."""
    custom = {"sensor_module": module, "sensor_name": sensor, "sensor_config": config, "inputs": None}
    return create_request(sensor_template(custom, interface), items, "s3://bucket/prefix")


def file_request(file: Path, sensor: str = "FileThere", **fields: Any) -> agent_pb2.CreateTaskRequest:
    return sensor_request(sensor, {"path": string(str(file))}, **fields)
