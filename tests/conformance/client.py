"""Asks one service, and writes down all that came of it as named fields: reply, status, HTTP requests, metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import grpc
from flyteidl.admin import agent_pb2
from flyteidl.core import execution_pb2, literals_pb2
from google.protobuf import text_format
from google.protobuf.message import Message

import metrics
from backend import Backend
from canonical import body, output, target
from services import CALL_LIMIT, Service

Fields = dict[str, Any]
"""What was observed: name of the field -> a value that prints well. A field that is not there is None."""


class Client:
    """One service, the backend that it calls, and a folder for files that sensors look at."""

    def __init__(self, service: Service, backend: Backend, files: Path) -> None:
        self.service = service
        self.backend = backend
        self.files = files

    def observe(self, call: Callable[[], Fields], metered: bool = True) -> Fields:
        """Make a call; add the HTTP requests that it led to, and by how much it moved which metric."""
        self.backend.take()
        before = metrics.values(self.service.scrape()[1]) if metered else {}
        fields = call()
        fields |= http_fields(self.backend)
        if metered:
            after = metrics.values(self.service.scrape()[1])
            fields |= {f"metric.{name}": change for name, change in metrics.changes(before, after).items()}
        return fields

    def unary(self, method: Callable[..., Message], request: Message) -> Fields:
        def call() -> Fields:
            try:
                return reply_fields(method(request, timeout=CALL_LIMIT))
            except grpc.RpcError as error:
                return error_fields(error)

        return self.observe(call)

    def stream(self, method: Callable[..., Iterable[Message]], request: Any) -> Fields:
        """All replies of a streamed call; the fields of the last one, and how many there were."""

        def call() -> Fields:
            try:
                replies = list(method(request, timeout=CALL_LIMIT))
            except grpc.RpcError as error:
                return error_fields(error)
            fields: Fields = {"code": "OK"}
            for reply in replies:
                fields |= reply_fields(reply)
            return fields | {"replies": len(replies)}

        return self.observe(call)

    def create(self, request: agent_pb2.CreateTaskRequest) -> Fields:
        return self.unary(self.service.tasks.CreateTask, request)

    def get(self, meta: bytes, category: str = "sensor", version: int = 0, task_type: str = "") -> Fields:
        request = agent_pb2.GetTaskRequest(resource_meta=meta, task_type=task_type)
        request.task_category.name, request.task_category.version = category, version
        return self.unary(self.service.tasks.GetTask, request)

    def delete(self, meta: bytes, category: str = "sensor", version: int = 0, task_type: str = "") -> Fields:
        request = agent_pb2.DeleteTaskRequest(resource_meta=meta, task_type=task_type)
        request.task_category.name, request.task_category.version = category, version
        return self.unary(self.service.tasks.DeleteTask, request)

    def execute(self, *requests: agent_pb2.ExecuteTaskSyncRequest) -> Fields:
        return self.stream(self.service.sync.ExecuteTaskSync, iter(requests))

    def raw(self, method: str, data: bytes) -> Fields:
        """Send bytes that no stub would send."""
        return self.unary(self.service.channel.unary_unary(method, response_deserializer=_Bytes), data)


class _Bytes:
    """A reply that is only counted."""

    def __init__(self, data: bytes) -> None:
        self.data = data


def error_fields(error: grpc.RpcError) -> Fields:
    return {"code": error.code().name, "details": error.details()}


def reply_fields(reply: Any) -> Fields:
    if isinstance(reply, agent_pb2.GetTaskResponse):
        return {"code": "OK"} | resource_fields(reply.resource)
    if isinstance(reply, agent_pb2.ExecuteTaskSyncResponse):
        kind = reply.WhichOneof("res")
        return {"code": "OK", "kind": kind} | resource_fields(reply.header.resource)
    if isinstance(reply, agent_pb2.CreateTaskResponse):
        return {"code": "OK", "resource_meta": reply.resource_meta}
    if isinstance(reply, _Bytes):
        return {"code": "OK", "reply": f"{len(reply.data)} bytes"}
    return {"code": "OK", "reply": text_format.MessageToString(reply)}


def resource_fields(resource: agent_pb2.Resource) -> Fields:
    """Every field of a Resource, each by itself."""
    fields: Fields = {
        "phase": execution_pb2.TaskExecution.Phase.Name(resource.phase),
        "message": resource.message,
        "has_outputs": resource.HasField("outputs"),
    }
    for name, literal in resource.outputs.literals.items():
        fields |= literal_fields(f"output.{name}", literal)
    rest = agent_pb2.Resource()
    rest.CopyFrom(resource)
    for name in ("phase", "message", "outputs"):
        rest.ClearField(name)
    fields["rest"] = text_format.MessageToString(rest)
    return fields


def literal_fields(name: str, literal: literals_pb2.Literal) -> Fields:
    if literal.scalar.binary.tag != "msgpack":
        return {name: text_format.MessageToString(literal)}
    rest = literals_pb2.Literal()
    rest.CopyFrom(literal)
    rest.scalar.binary.value = b""
    return {name: output(literal.scalar.binary.value), f"{name}.literal": text_format.MessageToString(rest)}


def http_fields(backend: Backend) -> Fields:
    """The requests that reached the backend. Names of headers are folded: HTTP does not tell their case apart."""
    requests = backend.take()
    fields: Fields = {"http.count": len(requests)}
    for index, request in enumerate(requests):
        fields[f"http.{index}.method"] = request.method
        fields[f"http.{index}.target"] = target(request.target)
        fields[f"http.{index}.body"] = body(request.body)
        headers: dict[str, list[str]] = {}
        for key, value in request.headers:
            headers.setdefault(key.lower(), []).append(value)
        for key, values in headers.items():
            fields[f"http.{index}.header.{key}"] = " | ".join(sorted(values))
    return fields
