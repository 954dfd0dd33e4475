"""The requests that real flytekit tasks lead to, kept as bytes in tests/fixtures."""

from __future__ import annotations

from pathlib import Path

from flyteidl.admin import agent_pb2

from build import header, inputs
from case import Case
from client import Client, Fields

FOLDER = Path(__file__).parent.parent / "fixtures" / "flytekit-1.16"
FIXTURE_PORT = "127.0.0.1:18080"
"""Where the webhooks of the fixtures point."""


def _read(file: Path) -> agent_pb2.CreateTaskRequest:
    request = agent_pb2.CreateTaskRequest.FromString(file.read_bytes())
    # each a task of its own: the fixtures share an execution id and a prefix
    request.output_prefix = request.output_prefix.replace("/n0/", f"/{file.name.split('.')[0]}/")
    return request


def _execute(client: Client, request: agent_pb2.CreateTaskRequest) -> Fields:
    """What propeller makes of a task of a sync type."""
    request = agent_pb2.CreateTaskRequest.FromString(request.SerializeToString())
    url = request.template.custom.fields["url"]
    url.string_value = url.string_value.replace(FIXTURE_PORT, f"127.0.0.1:{client.backend.port}")
    first = header(request.template, request.output_prefix)
    first.header.task_execution_metadata.CopyFrom(request.task_execution_metadata)
    return client.execute(first, inputs(dict(request.inputs.literals)))


def _cases() -> list[Case]:
    cases = []
    for file in sorted(FOLDER.glob("*.binpb")):
        name = file.name.removesuffix(".create.binpb")
        request = _read(file)
        # a webhook that is created is in cases_lookup.py
        if not name.startswith("webhook"):
            cases.append(Case(f"fixture/{name}/create", lambda client, r=request: client.create(r)))
        if not name.startswith("file_sensor"):
            cases.append(Case(f"fixture/{name}/execute", lambda client, r=request: _execute(client, r)))
    if not cases:
        raise FileNotFoundError(f"no fixtures in {FOLDER}")
    return cases


CASES: list[Case] = _cases()
