"""What is listed, and task types that nobody has."""

from __future__ import annotations

from flyteidl.admin import agent_pb2
from google.protobuf import text_format

from build import header, inputs
from canonical import lines
from client import Fields
from services import CALL_LIMIT
from team import Team, job_request, prefixed, template

NAMES = (
    "Sensor",
    "Webhook Connector",
    "Team Job Connector",
    "Team Echo Connector",
    "Team Sync Echo Connector",
    "Team Broken Connector",
    "Team Sync Broken Connector",
    "nope",
)

UNKNOWN = {"nope": ("nope", 0), "version": ("team_job", 1), "upper-case": ("TEAM_JOB", 0)}


def listed(team: Team) -> Fields:
    """The agents by name: their order means nothing."""
    reply = team.service.metadata.ListAgents(agent_pb2.ListAgentsRequest(), timeout=CALL_LIMIT)
    fields: Fields = {"names": sorted(agent.name for agent in reply.agents)}
    return fields | {f"agent.{agent.name}": lines(text_format.MessageToString(agent)) for agent in reply.agents}


def agent(name: str):
    request = agent_pb2.GetAgentRequest(name=name)
    return lambda team: team.observe(lambda: team.service.metadata.GetAgent(request, timeout=CALL_LIMIT))


def unknown(task_type: str, version: int):
    def call(team: Team) -> Fields:
        request = job_request(team.job("unknown"), task_type)
        request.template.task_type_version = version
        fields = prefixed("create", team.create(request)[1])
        fields |= prefixed("get", team.get(b'{"job": "x.1", "console": ""}', task_type, version))
        fields |= prefixed("delete", team.delete(b'{"job": "x.1", "console": ""}', task_type, version))
        made = template(task_type, {}, task_type_version=version)
        return fields | prefixed("sync", team.told(team.client.execute(header(made), inputs())))

    return call


CASES = {
    "agents/listed": listed,
    **{f"agents/{name}": agent(name) for name in NAMES},
    **{f"unknown/{name}": unknown(*key) for name, key in UNKNOWN.items()},
}
