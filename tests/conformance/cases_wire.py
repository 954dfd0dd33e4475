"""What no well-behaved caller sends: bytes that are no message, streams out of order, messages over the limit."""

from __future__ import annotations

from flyteidl.admin import agent_pb2
from flyteidl.core import tasks_pb2
from google.protobuf import struct_pb2

from build import FILE_SENSOR, PORT, create_request, header, inputs, integer, sensor_template, string, webhook
from case import Case
from client import Client, Fields

LIMIT = 4 * 1024 * 1024
TASKS = "/flyteidl.service.AsyncAgentService"


def garbage(name: str, data: bytes) -> list[Case]:
    return [
        Case(f"wire/{name}/{method}", lambda client, method=method: client.raw(f"{TASKS}/{method}", data))
        for method in ("CreateTask", "GetTask", "DeleteTask", "GetTaskMetrics")
    ]


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited field, written by hand where the stubs would refuse the data."""
    assert len(data) < 128
    return bytes([number << 3 | 2, len(data)]) + data


# CreateTaskRequest.template (3) . type (2); output_prefix (2); GetTaskRequest and DeleteTaskRequest.task_type (1)
BAD_TYPE = _field(3, _field(2, b"\xff\xfe"))
BAD_PREFIX = _field(2, b"\xff\xfe")
BAD_TASK_TYPE = _field(1, b"\xff\xfe")


def stream(name: str, *messages: agent_pb2.ExecuteTaskSyncRequest) -> Case:
    return Case(f"wire/stream/{name}", lambda client: client.execute(*messages))


def _headers_only(client: Client, count: int) -> Fields:
    return client.execute(*[header(webhook({"url": f"http://127.0.0.1:{PORT}/json"}, client.backend.port))] * count)


def _three_messages(client: Client) -> Fields:
    custom = {"url": f"http://127.0.0.1:{PORT}/json", "data": {"k": "{inputs.x}"}}
    first = header(webhook(custom, client.backend.port))
    return client.execute(first, inputs({"x": integer(1)}), inputs({"x": integer(2)}))


def _empty_second(client: Client) -> Fields:
    first = header(webhook({"url": f"http://127.0.0.1:{PORT}/json"}, client.backend.port))
    return client.execute(first, agent_pb2.ExecuteTaskSyncRequest())


def _template_number(value: float) -> Case:
    """A template whose custom has a number that JSON has no word for."""

    def call(client: Client) -> Fields:
        template = webhook({"url": f"http://127.0.0.1:{PORT}/json"}, client.backend.port)
        template.custom.fields["data"].number_value = value
        return client.execute(header(template), inputs())

    return Case(f"wire/template-{value}", call)


def _unset_value(client: Client) -> Fields:
    template = webhook({"url": f"http://127.0.0.1:{PORT}/json"}, client.backend.port)
    template.custom.fields["data"].CopyFrom(struct_pb2.Value(struct_value=struct_pb2.Struct()))
    template.custom.fields["data"].struct_value.fields["k"].SetInParent()
    return client.execute(header(template), inputs())


def _sized(client: Client, size: int) -> Fields:
    """A Get whose message has exactly this size."""
    request = agent_pb2.GetTaskRequest(task_category=agent_pb2.TaskCategory(name="sensor"))
    request.resource_meta = b"x" * (size - request.ByteSize() - 5)
    assert request.ByteSize() == size
    return client.unary(client.service.tasks.GetTask, request)


def _large_create(client: Client) -> Fields:
    return client.create(create_request(sensor_template(FILE_SENSOR), {"path": string("/" + "x" * 5 * 1024 * 1024)}))


def _large_stream(client: Client) -> Fields:
    first = header(webhook({"url": f"http://127.0.0.1:{PORT}/json"}, client.backend.port))
    return client.execute(first, inputs({"x": string("x" * 5 * 1024 * 1024)}))


def _alive(client: Client) -> Fields:
    """After all of that the service still answers."""
    fields = client.execute(header(webhook({"url": f"http://127.0.0.1:{PORT}/text"}, client.backend.port)), inputs())
    return fields | {"alive": client.service.alive()}


CASES: list[Case] = [
    *garbage("garbage", b"\xff\xff\xff"),
    *garbage("truncated", b"\x0a\x02\x08"),
    Case("wire/non-utf8/type", lambda client: client.raw(f"{TASKS}/CreateTask", BAD_TYPE)),
    Case("wire/non-utf8/prefix", lambda client: client.raw(f"{TASKS}/CreateTask", BAD_PREFIX)),
    Case("wire/non-utf8/get", lambda client: client.raw(f"{TASKS}/GetTask", BAD_TASK_TYPE)),
    Case("wire/non-utf8/delete", lambda client: client.raw(f"{TASKS}/DeleteTask", BAD_TASK_TYPE)),
    Case("wire/unknown-field", lambda client: client.raw(f"{TASKS}/GetTask", b"\xfa\x3e\x01x")),
    Case("wire/unknown-method", lambda client: client.raw(f"{TASKS}/Nope", b"")),
    Case("wire/unknown-service", lambda client: client.raw("/nope.Nope/Nope", b"")),
    stream("nothing"),
    stream("empty", agent_pb2.ExecuteTaskSyncRequest()),
    stream("inputs-first", inputs()),
    stream("async", header(sensor_template(FILE_SENSOR))),
    stream("unknown", header(tasks_pb2.TaskTemplate(type="nope"))),
    Case("wire/stream/no-inputs", lambda client: _headers_only(client, 1)),
    Case("wire/stream/two-headers", lambda client: _headers_only(client, 2)),
    Case("wire/stream/three-messages", _three_messages),
    Case("wire/stream/empty-second", _empty_second),
    _template_number(float("nan")),
    _template_number(float("inf")),
    Case("wire/template-unset-value", _unset_value),
    Case("wire/size/at-limit", lambda client: _sized(client, LIMIT)),
    Case("wire/size/over-limit", lambda client: _sized(client, LIMIT + 1)),
    Case("wire/size/5-mib", lambda client: _sized(client, 5 * 1024 * 1024)),
    Case("wire/size/create", _large_create),
    Case("wire/size/stream", _large_stream),
    Case("wire/alive", _alive),
]
