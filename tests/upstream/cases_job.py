"""A job's life: every phase with its message, links, custom_info and outputs, its end, its deletion, its metrics and
logs, and what comes of a connector's failures."""

from __future__ import annotations

import time

from flyteidl.admin import agent_pb2

from client import Fields
from services import CALL_LIMIT
from team import Team, job_request, prefixed

PHASES = ("QUEUED", "WAITING_FOR_RESOURCES", "INITIALIZING", "RUNNING", "SUCCEEDED")

ENDS = ("SUCCEEDED", "FAILED", "ABORTED", "RETRYABLE_FAILED")

WAYS = ("plain", "lines", "empty", "cause", "group", "flyte", "recursion", "long", "wide")
"""See fail() in team_connectors/broken.py."""


def made(team: Team, name: str, task_type: str = "team_job", **custom: str) -> bytes:
    return team.create(job_request(team.job(name), task_type, **custom))[0]


def backend(team: Team, name: str) -> Fields:
    """What the backend has seen."""
    return team.told({"backend": team.done_with(name)})


def life(team: Team) -> Fields:
    """From QUEUED to SUCCEEDED, deleted then."""
    team.set_stage("life", PHASES[0])
    handle, fields = team.create(job_request(team.job("life")))
    for phase in PHASES:
        team.set_stage("life", phase)
        fields |= prefixed(phase, team.get_phase(phase, handle, "team_job"))
    fields |= prefixed("again", team.get(handle, "team_job"))
    fields |= prefixed("deleted", team.delete(handle, "team_job"))
    return fields | backend(team, "life")


def end(phase: str):
    """A job that is at its end when it is asked about for the first time, and is not deleted."""

    def call(team: Team) -> Fields:
        team.set_stage(f"end-{phase}", phase)
        handle, fields = team.create(job_request(team.job(f"end-{phase}")))
        fields |= prefixed("get", team.get_phase(phase, handle, "team_job"))
        fields |= prefixed("again", team.get(handle, "team_job"))
        return fields | backend(team, f"end-{phase}")

    return call


def without_phase(team: Team) -> Fields:
    """A connector that does not set the phase."""
    team.set_stage("without-phase", "UNDEFINED")
    handle = made(team, "without-phase")
    fields = prefixed("get", team.get(handle, "team_job"))
    return fields | prefixed("deleted", team.delete(handle, "team_job"))


def deleted(team: Team) -> Fields:
    """Deleted while it runs, and once more; a Get then."""
    handle = made(team, "deleted")
    fields = prefixed("get", team.get_phase("RUNNING", handle, "team_job"))
    fields |= prefixed("deleted", team.delete(handle, "team_job"))
    fields |= prefixed("deleted-again", team.delete(handle, "team_job"))
    fields |= prefixed("get-after", team.get(handle, "team_job"))
    return fields | backend(team, "deleted")


def never_asked(team: Team) -> Fields:
    handle = made(team, "never-asked")
    return team.delete(handle, "team_job") | backend(team, "never-asked")


def by_task_type(team: Team) -> Fields:
    """Get and Delete by the deprecated field."""
    handle = made(team, "by-task-type")
    tasks = team.service.tasks
    get = agent_pb2.GetTaskRequest(task_type="team_job", resource_meta=handle)
    delete = agent_pb2.DeleteTaskRequest(task_type="team_job", resource_meta=handle)
    return prefixed("get", team.observe(lambda: tasks.GetTask(get, timeout=CALL_LIMIT))) | prefixed(
        "delete", team.observe(lambda: tasks.DeleteTask(delete, timeout=CALL_LIMIT))
    )


def telemetry(team: Team) -> Fields:
    """A connector that has logs and metrics."""
    handle = made(team, "telemetry")
    team.get_phase("RUNNING", handle, "team_job")
    fields = prefixed("logs", team.logs(handle, "team_job")) | prefixed("metrics", team.metrics(handle, "team_job"))
    return fields | prefixed("delete", team.delete(handle, "team_job"))


def no_telemetry(team: Team) -> Fields:
    """A connector that has neither."""
    handle = made(team, "no-telemetry", "team_broken", fails="nothing", how="plain")
    team.get_phase("RUNNING", handle, "team_broken")
    fields = prefixed("logs", team.logs(handle, "team_broken"))
    fields |= prefixed("metrics", team.metrics(handle, "team_broken"))
    return fields | prefixed("delete", team.delete(handle, "team_broken"))


def create_fails(how: str):
    def call(team: Team) -> Fields:
        name = f"create-fails-{how}"
        fields = team.create(job_request(team.job(name), "team_broken", fails="create", how=how))[1]
        return fields | backend(team, name)

    return call


def get_fails(how: str):
    """The connector's get raises; then it works again."""

    def call(team: Team) -> Fields:
        name = f"get-fails-{how}"
        handle = made(team, name, "team_broken", fails="get", how=how)
        fields = prefixed("get", team.get_until(tells_something, handle, "team_broken"))
        team.set_stage(name, "SUCCEEDED")
        return fields | prefixed("after", team.get_phase("SUCCEEDED", handle, "team_broken")) | backend(team, name)

    return call


def get_fails_for_good(team: Team) -> Fields:
    """The connector's get raises, and goes on raising."""
    handle = made(team, "get-fails-for-good", "team_broken", fails="get", how="plain")
    fields = prefixed("get", team.get_phase("RETRYABLE_FAILED", handle, "team_broken"))
    if fields["get.code"] == "OK":
        await_note(team, "get-fails-for-good", "deleted")
    return fields | backend(team, "get-fails-for-good")


def delete_fails(team: Team) -> Fields:
    """The connector's delete raises; then it works again."""
    handle = made(team, "delete-fails", "team_broken", fails="delete", how="plain")
    team.get_phase("RUNNING", handle, "team_broken")
    fields = prefixed("delete", team.delete(handle, "team_broken"))
    team.set_stage("delete-fails", "QUEUED")
    time.sleep(0.5)
    fields |= prefixed("after", team.delete(handle, "team_broken"))
    return fields | backend(team, "delete-fails")


def await_note(team: Team, name: str, line: str) -> None:
    """Until the backend has seen this."""
    limit = time.monotonic() + 10
    while not all(line in lines for lines in team.done_with(name).values()) and time.monotonic() < limit:
        time.sleep(0.05)


def tells_something(fields: Fields) -> bool:
    return fields["code"] != "OK" or bool(fields["message"])


def bad_meta(meta: bytes):
    """Bytes that no connector made."""

    def call(team: Team) -> Fields:
        fields = prefixed("get", team.get_until(tells_something, meta, "team_job"))
        return fields | prefixed("delete", team.delete(meta, "team_job"))

    return call


CASES = {
    "job/life": life,
    **{f"job/end/{phase}": end(phase) for phase in ENDS},
    "job/without-phase": without_phase,
    "job/deleted": deleted,
    "job/never-asked": never_asked,
    "job/by-task-type": by_task_type,
    "job/telemetry": telemetry,
    "job/no-telemetry": no_telemetry,
    **{f"broken/create/{how}": create_fails(how) for how in WAYS},
    **{f"broken/get/{how}": get_fails(how) for how in WAYS},
    "broken/get-for-good": get_fails_for_good,
    "broken/delete": delete_fails,
    "broken/meta/words": bad_meta(b"hello"),
    "broken/meta/other": bad_meta(b'{"jobs": "a"}'),
    "broken/meta/empty": bad_meta(b""),
}
