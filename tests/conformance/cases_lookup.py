"""Which connector a request reaches, what the services say about themselves, and their health."""

from __future__ import annotations

from flyteidl.admin import agent_pb2
from flyteidl.core import tasks_pb2
from google.protobuf import text_format
from grpc import RpcError
from grpc_health.v1 import health_pb2

import services
from build import FILE_SENSOR, PORT, create_request, header, inputs, sensor_template, string, webhook
from canonical import lines
from case import Case
from cases_sensor import plain_meta
from client import Client, Fields, error_fields, reply_fields
from services import CALL_LIMIT

LOOKUPS: dict[str, tuple[str, int, str]] = {
    "category": ("sensor", 0, ""),
    "task-type": ("", 0, "sensor"),
    "both": ("sensor", 0, "sensor"),
    "category-wins": ("sensor", 0, "nope"),
    "category-wins-unknown": ("nope", 0, "sensor"),
    "both-unknown": ("nope", 0, "other"),
    "neither": ("", 0, ""),
    "unknown-category": ("nope", 0, ""),
    "unknown-task-type": ("", 0, "nope"),
    "version": ("sensor", 1, ""),
    "negative-version": ("sensor", -1, ""),
    "version-without-name": ("", 1, "sensor"),
    "upper-case": ("Sensor", 0, ""),
    "blank": (" sensor", 0, ""),
    "quotes": ('a"b\\c\nd', 0, ""),
    "unicode": ("é世", 0, ""),
    "sync": ("webhook", 0, ""),
}


def _lookups() -> list[Case]:
    cases = []
    for name, (category, version, task_type) in LOOKUPS.items():
        key = {"category": category, "version": version, "task_type": task_type}
        cases += [
            Case(f"lookup/get/{name}", lambda client, key=key: client.get(plain_meta(), **key)),
            Case(f"lookup/delete/{name}", lambda client, key=key: client.delete(plain_meta(), **key)),
        ]
    return cases


def created(name: str, template: tasks_pb2.TaskTemplate) -> Case:
    request = create_request(template, {"path": string("/no/such/file")})
    return Case(f"lookup/create/{name}", lambda client: client.create(request))


def executed(name: str, template: tasks_pb2.TaskTemplate) -> Case:
    return Case(f"lookup/execute/{name}", lambda client: client.execute(header(template), inputs()))


def _create_for_sync(client: Client) -> Fields:
    """Propeller creates a sync task when its list of agents is stale. It may run before the reply or after."""
    template = webhook({"url": f"http://127.0.0.1:{PORT}/json", "method": "GET"}, client.backend.port)
    tasks = client.service.tasks

    def call() -> Fields:
        try:
            reply = tasks.CreateTask(create_request(template, {}), timeout=CALL_LIMIT)
        except RpcError as error:
            return error_fields(error)
        request = agent_pb2.GetTaskRequest(resource_meta=reply.resource_meta)
        request.task_category.name = "webhook"
        got = reply_fields(tasks.GetTask(request, timeout=CALL_LIMIT))
        return reply_fields(reply) | {f"get.{name}": value for name, value in got.items()}

    return client.observe(call)


def _agents(client: Client) -> Fields:
    """The agents by name: their order means nothing."""

    def call() -> Fields:
        reply = client.service.metadata.ListAgents(agent_pb2.ListAgentsRequest(), timeout=CALL_LIMIT)
        fields: Fields = {"code": "OK", "names": sorted(agent.name for agent in reply.agents)}
        return fields | {f"agent.{agent.name}": lines(text_format.MessageToString(agent)) for agent in reply.agents}

    return client.observe(call)


def agent(name: str) -> Case:
    request = agent_pb2.GetAgentRequest(name=name)
    return Case(
        f"metadata/get-agent/{name or 'empty'}",
        lambda client: client.unary(client.service.metadata.GetAgent, request),
    )


def _addresses(client: Client) -> Fields:
    """On which addresses the ports answer."""
    ports = {"gRPC": client.service.port, "metrics": client.service.metrics_port}
    return {
        f"{name} on {host}": services.listens(host, port)
        for name, port in ports.items()
        for host in ("127.0.0.1", "::1")
    }


def _reflection(client: Client) -> Fields:
    """Asks for the list of services, which is all of field 7 in the request."""
    method = client.service.channel.stream_stream("/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    try:
        reply = b"".join(method(iter([b"\x3a\x00"]), timeout=CALL_LIMIT))
    except RpcError as error:
        return error_fields(error)
    return {"code": "OK", "lists_services": all(f"flyteidl.service.{name}".encode() in reply for name in SERVICES)}


def checked(name: str) -> Case:
    request = health_pb2.HealthCheckRequest(service=name)
    return Case(f"health/check/{name or 'all'}", lambda client: client.unary(client.service.health.Check, request))


def watched(name: str) -> Case:
    """The first reply of a Watch, which has no end."""

    def call(client: Client) -> Fields:
        request = health_pb2.HealthCheckRequest(service=name)
        stream = client.service.health.Watch(request, timeout=CALL_LIMIT)
        try:
            return reply_fields(next(stream))
        except RpcError as error:
            return error_fields(error)
        finally:
            stream.cancel()

    return Case(f"health/watch/{name or 'all'}", call)


def told(name: str, method: str, kind: type, meta: bytes, category: str = "sensor") -> Case:
    """GetTaskLogs (a stream) or GetTaskMetrics."""

    def call(client: Client) -> Fields:
        request = kind(resource_meta=meta, task_category=agent_pb2.TaskCategory(name=category))
        stub = getattr(client.service.tasks, method)
        ask = client.stream if method == "GetTaskLogs" else client.unary
        fields = ask(stub, request)
        return {name: value for name, value in fields.items() if name in ("code", "details")}

    return Case(f"told/{method}/{name}", call)


def _told() -> list[Case]:
    cases = []
    for method, kind in (
        ("GetTaskLogs", agent_pb2.GetTaskLogsRequest),
        ("GetTaskMetrics", agent_pb2.GetTaskMetricsRequest),
    ):
        cases += [
            told("sensor", method, kind, plain_meta()),
            told("bad-meta", method, kind, b"\xff\xfe"),
            told("unknown", method, kind, plain_meta(), "nope"),
        ]
    return cases


SERVICES = ("AsyncAgentService", "SyncAgentService", "AgentMetadataService")

CASES: list[Case] = [
    *_lookups(),
    created("sensor", sensor_template(FILE_SENSOR)),
    created("version", sensor_template(FILE_SENSOR, task_type_version=1)),
    created("unknown", sensor_template(FILE_SENSOR, type="nope")),
    created("empty", sensor_template(FILE_SENSOR, type="")),
    created("upper-case", sensor_template(FILE_SENSOR, type="SENSOR")),
    created("no-template", tasks_pb2.TaskTemplate()),
    Case("lookup/create/nothing", lambda client: client.create(agent_pb2.CreateTaskRequest())),
    Case("lookup/create/sync", _create_for_sync),
    executed("async", sensor_template(FILE_SENSOR)),
    executed("unknown", tasks_pb2.TaskTemplate(type="nope")),
    executed("empty", tasks_pb2.TaskTemplate()),
    executed("version", tasks_pb2.TaskTemplate(type="webhook", task_type_version=2)),
    Case("metadata/list-agents", _agents),
    *(agent(name) for name in ("Sensor", "Webhook Connector", "nope", "sensor", "")),
    Case("metadata/addresses", _addresses),
    Case("metadata/reflection", _reflection),
    *(checked(name) for name in ("", "grpc.health.v1.Health", "nope", "flyteidl.service.Nope")),
    *(checked(f"flyteidl.service.{name}") for name in SERVICES),
    *(watched(name) for name in ("", "grpc.health.v1.Health", "nope")),
    *(watched(f"flyteidl.service.{name}") for name in SERVICES),
    *_told(),
]
