"""Sensors: the team's own, which only Python can run, and the built-in one, which must not go there."""

from __future__ import annotations

from flyteidl.core import types_pb2

from build import PATH_INTERFACE, float_, integer, simple, string
from cases_job import tells_something
from client import Fields
from team import Team, file_request, prefixed, sensor_request

LINES = PATH_INTERFACE | {"least": simple(types_pb2.INTEGER)}
SECONDS = PATH_INTERFACE | {"seconds": simple(types_pb2.FLOAT)}


def appears(team: Team) -> Fields:
    """RUNNING until the file is there."""
    handle, fields = team.create(file_request(team.file("appears")))
    fields |= prefixed("before", team.get_phase("RUNNING", handle, "sensor"))
    team.file("appears").touch()
    fields |= prefixed("after", team.get_phase("SUCCEEDED", handle, "sensor"))
    return fields | prefixed("deleted", team.delete(handle, "sensor"))


def deleted(team: Team) -> Fields:
    handle, fields = team.create(file_request(team.file("deleted")))
    fields |= prefixed("before", team.get_phase("RUNNING", handle, "sensor"))
    fields |= prefixed("deleted", team.delete(handle, "sensor"))
    return fields | prefixed("deleted-again", team.delete(handle, "sensor"))


def configured(team: Team) -> Fields:
    """A sensor with a `sensor_config` and two inputs."""
    file = team.file("configured")
    file.write_text("one\n")
    items = {"path": string(str(file)), "least": integer(2)}
    handle, fields = team.create(sensor_request("LinesThere", items, {"lines": 3}, LINES))
    fields |= prefixed("before", team.get_phase("RUNNING", handle, "sensor"))
    file.write_text("one\ntwo\nthree\n")
    return fields | prefixed("after", team.get_phase("SUCCEEDED", handle, "sensor"))


def raising(team: Team) -> Fields:
    """A poke that raises, until the file is there."""
    handle, fields = team.create(file_request(team.file("raising"), "Raising"))
    fields |= prefixed("before", team.get_until(tells_something, handle, "sensor"))
    team.file("raising").touch()
    return fields | prefixed("after", team.get_phase("SUCCEEDED", handle, "sensor"))


def blocking(team: Team) -> Fields:
    """A poke that sleeps in the event loop."""
    items = {"path": string(str(team.file("blocking"))), "seconds": float_(0.3)}
    handle, fields = team.create(sensor_request("Blocking", items, interface=SECONDS))
    fields |= prefixed("before", team.get_phase("RUNNING", handle, "sensor"))
    team.file("blocking").touch()
    return fields | prefixed("after", team.get_phase("SUCCEEDED", handle, "sensor"))


def unknown(module: str, sensor: str):
    """A class that nobody has."""

    def call(team: Team) -> Fields:
        handle, fields = team.create(file_request(team.file("unknown"), sensor, module=module))
        if handle:
            fields |= prefixed("get", team.get_until(tells_something, handle, "sensor"))
            fields |= prefixed("deleted", team.delete(handle, "sensor"))
        return fields

    return call


def native(team: Team) -> Fields:
    """flytekit's own FileSensor on a local path."""
    request = file_request(team.file("native"), "FileSensor", module="flytekit.sensor.file_sensor")
    handle, fields = team.create(request)
    fields |= prefixed("before", team.get_phase("RUNNING", handle, "sensor"))
    team.file("native").touch()
    return fields | prefixed("after", team.get_phase("SUCCEEDED", handle, "sensor"))


def over_http(path: str):
    """flytekit's own FileSensor on a path that only Python can look at."""

    def call(team: Team) -> Fields:
        address = string(f"http://127.0.0.1:{team.client.backend.port}/{path}?{team.tag}")
        items = {"path": address}
        handle, fields = team.create(sensor_request("FileSensor", items, module="flytekit.sensor.file_sensor"))
        fields["meta"] = fields["meta"].replace(str(team.client.backend.port), "<port>")
        if handle:
            fields |= prefixed("get", team.get_until(tells_something_or_ended, handle, "sensor"))
            fields |= prefixed("deleted", team.delete(handle, "sensor"))
        return {name: value for name, value in fields.items() if not name.startswith("http.")}

    return call


def tells_something_or_ended(fields: Fields) -> bool:
    return tells_something(fields) or fields["phase"] == "SUCCEEDED"


CASES = {
    "sensor/appears": appears,
    "sensor/deleted": deleted,
    "sensor/configured": configured,
    "sensor/raising": raising,
    "sensor/blocking": blocking,
    "sensor/unknown-class": unknown("team_connectors.sensors", "Nope"),
    "sensor/unknown-module": unknown("no.such.module", "FileThere"),
    "sensor/native": native,
    "sensor/over-http": over_http("json"),
}
