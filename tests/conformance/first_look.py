"""A sensor from its Create to its first Get."""

from __future__ import annotations

from flyteidl.admin import agent_pb2

from client import Client, Fields


def first_look(client: Client, request: agent_pb2.CreateTaskRequest) -> Fields:
    """Create, the first Get, and a Delete: else it would be polled on in the midst of other cases."""
    fields = client.create(request)
    if fields["code"] != "OK":
        return fields
    got = client.get(fields["resource_meta"])
    client.delete(fields["resource_meta"])
    # Which of the calls is seen to reach a web server is chance: a poll is nobody's call.
    seen = fields | {f"get.{key}": value for key, value in got.items()}
    return {key: value for key, value in seen.items() if not key.removeprefix("get.").startswith("http.")}
