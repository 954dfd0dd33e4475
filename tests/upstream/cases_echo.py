"""What reaches a connector, and what comes back of it: literals of every kind, and a request with all fields set."""

from __future__ import annotations

from flyteidl.admin import agent_pb2
from flyteidl.core import literals_pb2, tasks_pb2
from google.protobuf import text_format

from build import Literal, create_request, datetime, duration, integer, string
from cases_literals import LITERALS
from client import Fields
from team import Team, prefixed, template

FULL_TEMPLATE = """
id { resource_type: TASK project: "p" domain: "d" name: "team.workflows.echo" version: "v1" org: "o" }
type: "team_echo"
metadata {
  discoverable: true
  runtime { type: FLYTE_SDK version: "1.16.31" flavor: "python" }
  timeout { seconds: 90 nanos: 500000000 }
  retries { retries: 3 }
  discovery_version: "2"
  interruptible: true
  cache_serializable: true
  tags { key: "team" value: "é" }
  pod_template_name: "pod"
}
interface {
  inputs { variables { key: "x" value { type { simple: INTEGER } description: "an input" } } }
  outputs { variables { key: "y" value { type { collection_type { simple: STRING } } } } }
}
container {
  image: "registry/team:1"
  command: "pyflyte-execute"
  args: "--inputs"
  args: "{{.input}}"
  env { key: "A" value: "b" }
  resources { requests { name: CPU value: "500m" } limits { name: MEMORY value: "1Gi" } }
  config { key: "c" value: "d" }
}
task_type_version: 2
security_context { secrets { group: "g" key: "k" } run_as { k8s_service_account: "sa" } }
config { key: "warehouse" value: "世" }
"""

EXECUTION = """
task_execution_id {
  task_id { resource_type: TASK project: "p" domain: "d" name: "team.workflows.echo" version: "v1" }
  node_execution_id { node_id: "n0" execution_id { project: "p" domain: "d" name: "%s" } }
  retry_attempt: 2
}
namespace: "p-d"
labels { key: "team" value: "data" }
annotations { key: "note" value: "é 世" }
k8s_service_account: "sa"
environment_variables { key: "MODE" value: "test" }
identity { iam_role: "role" k8s_service_account: "sa" execution_identity: "me" }
"""


def echoed(name: str, items: dict[str, Literal]):
    """Through a Create and a Get, and through one call."""

    def call(team: Team) -> Fields:
        custom = {"job": team.job(name)}
        handle, fields = team.create(create_request(template("team_echo", custom), items, "s3://bucket/é/prefix"))
        if handle:
            fields |= prefixed("get", team.get_phase("SUCCEEDED", handle, "team_echo"))
        return fields | prefixed("sync", team.execute(template("team_sync_echo", custom), items))

    return call


def full_request(team: Team) -> agent_pb2.CreateTaskRequest:
    """A Create as propeller sends it, every field set that flytekit knows."""
    request = agent_pb2.CreateTaskRequest(output_prefix=f"s3://bucket/metadata/{team.tag}/n0/data/2")
    text_format.Parse(FULL_TEMPLATE, request.template)
    request.template.custom.CopyFrom(template("", {"job": team.job("full"), "nested": {"é": [1, None]}}).custom)
    text_format.Parse(EXECUTION % team.tag, request.task_execution_metadata)
    request.inputs.CopyFrom(literals_pb2.LiteralMap(literals=SEVERAL))
    return request


def full(team: Team) -> Fields:
    request = full_request(team)
    handle, fields = team.create(request)
    return fields | prefixed("get", team.get_phase("SUCCEEDED", handle, "team_echo", 2))


def repeated(team: Team) -> Fields:
    """Propeller repeats a Create when it could not keep the reply."""
    request = full_request(team)
    request.output_prefix += "/twice"
    request.template.custom.update({"job": team.job("twice")})
    handles = [team.create(request)[0] for _ in range(2)]
    return {"same_handle": handles[0] == handles[1], "jobs": len(team.done_with("twice"))}


def without_inputs(team: Team) -> Fields:
    """`inputs` is not set at all."""
    handle, fields = team.create(create_request(template("team_echo", {"job": team.job("unset")}), None))
    return fields | prefixed("get", team.get_phase("SUCCEEDED", handle, "team_echo"))


def large(team: Team) -> Fields:
    """Inputs of 1 MB: a single call, whose handle would be too large."""
    return team.execute(template("team_sync_echo", {"job": team.job("large")}), {"x": string("é" * 500_000)})


def sync_fails(how: str):
    def call(team: Team) -> Fields:
        return team.execute(template("team_sync_broken", {"how": how}))

    return call


def sync_as_async(team: Team) -> Fields:
    """Propeller creates a sync task when its list of agents is stale."""
    custom = {"job": team.job("sync-as-async")}
    handle, fields = team.create(create_request(template("team_sync_echo", custom), SEVERAL, "s3://bucket/stale"))
    if handle:
        fields |= prefixed("get", team.get_phase("SUCCEEDED", handle, "team_sync_echo"))
    return fields | {"jobs": len(team.done_with("sync-as-async"))}


def async_as_sync(team: Team) -> Fields:
    return team.execute(template("team_echo", {"job": team.job("async-as-sync")}))


SEVERAL = {
    "x": integer(5),
    "when": datetime(1700000000, 123456789),
    "long": duration(3, 5),
    "é": string("世"),
    "": string("no name"),
}

CASES = {
    **{f"echo/literal/{name}": echoed(name, {"x": literal}) for name, literal in LITERALS.items()},
    "echo/several": echoed("several", SEVERAL),
    "echo/no-inputs": echoed("no-inputs", {}),
    "echo/inputs-unset": without_inputs,
    "echo/full": full,
    "echo/repeated": repeated,
    "echo/large": large,
    **{f"broken/sync/{how}": sync_fails(how) for how in ("plain", "lines", "flyte", "nothing")},
    "echo/sync-as-async": sync_as_async,
    "echo/async-as-sync": async_as_sync,
}
