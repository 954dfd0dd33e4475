"""Builds requests: literals, templates, and the cases of a webhook."""

from __future__ import annotations

from typing import Any

import msgpack
from flyteidl.admin import agent_pb2
from flyteidl.core import literals_pb2, tasks_pb2, types_pb2
from google.protobuf import json_format, struct_pb2

from case import Case
from client import Client, Fields

PORT = "<port>"
"""In a template's custom: stands for the port of the recording server, known only when the case runs."""

HOST = f"127.0.0.1:{PORT}"
BACKEND = f"http://{HOST}"

ABSENT = object()
"""A key of a template's custom that is to be left out."""

Literal = literals_pb2.Literal


def struct(value: dict[str, Any]) -> struct_pb2.Struct:
    return json_format.ParseDict(value, struct_pb2.Struct())


def scalar(**field: Any) -> Literal:
    return Literal(scalar=literals_pb2.Scalar(**field))


def primitive(**field: Any) -> Literal:
    return scalar(primitive=literals_pb2.Primitive(**field))


def integer(value: int) -> Literal:
    return primitive(integer=value)


def float_(value: float) -> Literal:
    return primitive(float_value=value)


def string(value: str) -> Literal:
    return primitive(string_value=value)


def boolean(value: bool) -> Literal:
    return primitive(boolean=value)


def datetime(seconds: int, nanos: int = 0) -> Literal:
    return primitive(datetime={"seconds": seconds, "nanos": nanos})


def duration(seconds: int, nanos: int = 0) -> Literal:
    return primitive(duration={"seconds": seconds, "nanos": nanos})


def none() -> Literal:
    return scalar(none_type=literals_pb2.Void())


def generic(value: dict[str, Any]) -> Literal:
    return scalar(generic=struct(value))


def union(value: Literal) -> Literal:
    return scalar(union=literals_pb2.Union(value=value, type=types_pb2.LiteralType(simple=types_pb2.INTEGER)))


def collection(*items: Literal) -> Literal:
    return Literal(collection=literals_pb2.LiteralCollection(literals=items))


def mapping(**items: Literal) -> Literal:
    return Literal(map=literals_pb2.LiteralMap(literals=items))


def binary(value: bytes, tag: str = "raw") -> Literal:
    return scalar(binary=literals_pb2.Binary(value=value, tag=tag))


def packed(value: Any) -> Literal:
    """As flytekit passes dicts, dataclasses and untyped values."""
    return binary(msgpack.packb(value), "msgpack")


def offloaded(**field: Any) -> Literal:
    return Literal(offloaded_metadata=literals_pb2.LiteralOffloadedMetadata(**field))


def literal_map(items: dict[str, Literal]) -> literals_pb2.LiteralMap:
    return literals_pb2.LiteralMap(literals=items)


def located(value: Any, port: int) -> Any:
    """The value with the backend's port in place of its mark."""
    if isinstance(value, str):
        return value.replace(PORT, str(port))
    if isinstance(value, list):
        return [located(item, port) for item in value]
    if isinstance(value, dict):
        return {key: located(item, port) for key, item in value.items() if item is not ABSENT}
    return value


def header(template: tasks_pb2.TaskTemplate, prefix: str = "s3://bucket/prefix") -> agent_pb2.ExecuteTaskSyncRequest:
    """The first message of ExecuteTaskSync."""
    request = agent_pb2.CreateRequestHeader(template=template, output_prefix=prefix)
    return agent_pb2.ExecuteTaskSyncRequest(header=request)


def inputs(items: dict[str, Literal] | None = None) -> agent_pb2.ExecuteTaskSyncRequest:
    """The second one."""
    return agent_pb2.ExecuteTaskSyncRequest(inputs=literal_map(items or {}))


def webhook(custom: dict[str, Any], port: int) -> tasks_pb2.TaskTemplate:
    return tasks_pb2.TaskTemplate(type="webhook", custom=struct(located(custom, port)))


DEFAULTS: dict[str, Any] = {
    "url": f"{BACKEND}/json",
    "method": "POST",
    "headers": {},
    "data": {},
    "show_data": False,
    "show_url": False,
    "timeout_sec": 10.0,
}
"""What flytekit's WebhookTask writes into a template."""


def hook(name: str, custom: dict[str, Any], items: dict[str, Literal] | None = None, defaults: bool = True) -> Case:
    """One webhook task through ExecuteTaskSync."""
    full = (DEFAULTS | custom) if defaults else custom

    def call(client: Client) -> Fields:
        return client.execute(header(webhook(full, client.backend.port)), inputs(items))

    return Case(f"webhook/{name}", call)


def get_hook(name: str, custom: dict[str, Any], items: dict[str, Literal] | None = None) -> Case:
    return hook(name, {"method": "GET"} | custom, items)


def sensor_template(
    custom: dict[str, Any] | None,
    interface: dict[str, types_pb2.LiteralType] | None = None,
    **fields: Any,
) -> tasks_pb2.TaskTemplate:
    """A sensor's template; its interface has the input `path` unless told otherwise."""
    template = tasks_pb2.TaskTemplate(**({"type": "sensor"} | fields))
    if custom is not None:
        template.custom.CopyFrom(struct(custom))
    for name, kind in (PATH_INTERFACE if interface is None else interface).items():
        template.interface.inputs.variables[name].type.CopyFrom(kind)
    return template


def simple(kind: int) -> types_pb2.LiteralType:
    return types_pb2.LiteralType(simple=kind)


PATH_INTERFACE = {"path": simple(types_pb2.STRING)}

FILE_SENSOR: dict[str, Any] = {
    "sensor_module": "flytekit.sensor.file_sensor",
    "sensor_name": "FileSensor",
    "sensor_config": None,
    "inputs": None,
}


def create_request(
    template: tasks_pb2.TaskTemplate, items: dict[str, Literal] | None, prefix: str = ""
) -> agent_pb2.CreateTaskRequest:
    """A Create without an execution id, so that each is a task of its own; None leaves the inputs unset."""
    request = agent_pb2.CreateTaskRequest(template=template, output_prefix=prefix)
    if items is not None:
        request.inputs.CopyFrom(literal_map(items))
    return request
