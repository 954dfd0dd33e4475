"""A fleet that moves task by task, and back: one service makes a task, another is asked about it."""

from __future__ import annotations

from build import create_request
from cases_echo import SEVERAL
from client import Fields
from team import Team, file_request, job_request, prefixed, template


def job(maker: Team, reader: Team) -> Fields:
    """A running job, its end, and its deletion."""
    maker.set_stage("handover", "RUNNING")
    handle = maker.create(job_request(maker.job("handover")))[0]
    fields = prefixed("running", reader.get_phase("RUNNING", handle, "team_job"))
    maker.set_stage("handover", "SUCCEEDED")
    fields |= prefixed("succeeded", reader.get_phase("SUCCEEDED", handle, "team_job"))
    return maker.told(fields | {"jobs": len(maker.done_with("handover"))})


def deleted(maker: Team, reader: Team) -> Fields:
    handle = maker.create(job_request(maker.job("deleted-elsewhere")))[0]
    fields = prefixed("running", reader.get_phase("RUNNING", handle, "team_job"))
    fields |= prefixed("deleted", reader.delete(handle, "team_job"))
    return maker.told(fields | {"backend": maker.done_with("deleted-elsewhere")})


def deleted_unseen(maker: Team, reader: Team) -> Fields:
    handle = maker.create(job_request(maker.job("deleted-unseen")))[0]
    fields = prefixed("deleted", reader.delete(handle, "team_job"))
    return maker.told(fields | {"backend": maker.done_with("deleted-unseen")})


def sensor(maker: Team, reader: Team) -> Fields:
    handle = maker.create(file_request(maker.file("handover")))[0]
    fields = prefixed("before", reader.get_phase("RUNNING", handle, "sensor"))
    maker.file("handover").touch()
    return fields | prefixed("after", reader.get_phase("SUCCEEDED", handle, "sensor"))


def outputs(maker: Team, reader: Team) -> Fields:
    custom = {"job": maker.job("echo-elsewhere")}
    handle = maker.create(create_request(template("team_echo", custom), SEVERAL, "s3://bucket/prefix"))[0]
    return maker.told(reader.get_phase("SUCCEEDED", handle, "team_echo"))


CASES = {"job": job, "deleted": deleted, "deleted-unseen": deleted_unseen, "sensor": sensor, "outputs": outputs}
