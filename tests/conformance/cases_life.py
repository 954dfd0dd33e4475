"""A sensor's life: created, seen RUNNING, its file appears, seen SUCCEEDED, deleted. Calls are not counted here:
how many Gets it takes is the service's own affair."""

from __future__ import annotations

import itertools
import time

from flyteidl.admin import agent_pb2

from build import FILE_SENSOR, create_request, sensor_template, string
from case import Case
from client import Client, Fields

APPEAR_LIMIT = 15.0
"""Flightdeck looks after 0, 1, 3 and 7 s, then every 10 s; flytekit at every Get."""

NAMES = {"path": "ready", "url": "ready too", "unicode": "fertig-é-世"}
FORMS = {"path": "{}", "url": "file://{}", "unicode": "{}"}


def without_metrics(fields: Fields) -> Fields:
    return {name: value for name, value in fields.items() if not name.startswith("metric.")}


def _phase(client: Client, meta: bytes) -> str:
    fields = client.get(meta)
    return fields.get("phase") or f"{fields['code']}: {fields['details']}"


def wait_while_running(client: Client, meta: bytes) -> str:
    """The phase that comes after RUNNING, however often that is told before."""
    end = time.monotonic() + APPEAR_LIMIT
    while (phase := _phase(client, meta)) == "RUNNING" and time.monotonic() < end:
        time.sleep(0.1)
    return phase


def create(client: Client, path: str) -> bytes:
    fields = client.create(create_request(sensor_template(FILE_SENSOR), {"path": string(path)}))
    return fields.get("resource_meta", b"")


def _life(client: Client) -> Fields:
    """Several sensors at once, so that the waiting is done once."""
    files = {kind: client.files / name for kind, name in NAMES.items()}
    for file in files.values():
        file.unlink(missing_ok=True)
    metas = {kind: create(client, FORMS[kind].format(file)) for kind, file in files.items()}
    fields: Fields = {f"before.{kind}": _phase(client, meta) for kind, meta in metas.items()}
    fields |= {f"again.{kind}": _phase(client, meta) for kind, meta in metas.items()}
    for file in files.values():
        file.touch()
    fields |= {f"after.{kind}": wait_while_running(client, meta) for kind, meta in metas.items()}
    for kind, meta in metas.items():
        fields |= {f"deleted.{kind}.{k}": v for k, v in without_metrics(client.delete(meta)).items()}
        fields |= {f"deleted-again.{kind}.{k}": v for k, v in without_metrics(client.delete(meta)).items()}
    for file in files.values():
        file.unlink()
    return fields


def _deleted_while_running(client: Client) -> Fields:
    meta = create(client, str(client.files / "never"))
    fields: Fields = {"before": _phase(client, meta)}
    fields |= {f"deleted.{k}": v for k, v in without_metrics(client.delete(meta)).items()}
    fields |= {f"deleted-again.{k}": v for k, v in without_metrics(client.delete(meta)).items()}
    return fields


def _never_asked(client: Client) -> Fields:
    """Deleted without a Get before."""
    meta = create(client, str(client.files / "never-asked"))
    return without_metrics(client.delete(meta))


def _repeated_create(client: Client) -> Fields:
    """Propeller repeats a Create when it could not keep the reply: the same attempt, the same handle."""
    request = create_request(sensor_template(FILE_SENSOR), {"path": string("/no/such/file/twice")})
    request.output_prefix = "s3://bucket/metadata/twice/n0/data/0"
    identity = request.task_execution_metadata.task_execution_id
    identity.node_execution_id.node_id = "n0"
    identity.node_execution_id.execution_id.name = "twice"
    handles = [client.service.tasks.CreateTask(request, timeout=10).resource_meta for _ in range(2)]
    client.delete(handles[0])
    return {"same_handle": handles[0] == handles[1]}


CASES: list[Case] = [
    Case("life/appears", _life),
    Case("life/deleted-while-running", _deleted_while_running),
    Case("life/never-asked", _never_asked),
    Case("life/repeated-create", _repeated_create),
]


_NUMBERS = itertools.count()


def handover(maker: Client, reader: Client) -> Fields:
    """A meta that one service made, told and deleted by another, before and after its file appears."""
    # a path of its own each time: equal plain metas are one task to Flightdeck, also when it is done
    file = maker.files / f"handed-over-{next(_NUMBERS)}"
    meta = create(maker, str(file))
    fields: Fields = {"before": _phase(reader, meta)}
    file.touch()
    fields["after"] = wait_while_running(reader, meta)
    fields |= {f"deleted.{k}": v for k, v in without_metrics(reader.delete(meta)).items()}
    file.unlink()
    return fields


def by_task_type(maker: Client, reader: Client) -> Fields:
    """The same through the deprecated field."""
    meta = create(maker, "/")
    request = agent_pb2.GetTaskRequest(task_type="sensor", resource_meta=meta)
    return without_metrics(reader.unary(reader.service.tasks.GetTask, request))
