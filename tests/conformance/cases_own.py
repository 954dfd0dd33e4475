"""Flightdeck's own sensors, against their Python classes in examples/flightdeck_sensors.py under flytekit."""

from __future__ import annotations

from typing import Any

from flyteidl.core import types_pb2

from build import BACKEND, Literal, create_request, integer, located, sensor_template, simple, string
from case import Case
from client import Client, Fields
from first_look import first_look

HERE = "<files>"
"""In a path: stands for the folder of files, known only when the case runs."""

PAST, FUTURE = "2026-01-01T00:00:00+00:00", "2126-01-01T02:00:00+02:00"


def look(name: str, sensor: str, config: dict[str, Any] | None = None, **items: str | int) -> Case:
    """Whether the sensor's condition holds."""

    def call(client: Client) -> Fields:
        def literal(value: str | int) -> Literal:
            if isinstance(value, int):
                return integer(value)
            return string(located(value.replace(HERE, str(client.files)), client.backend.port))

        custom = {"sensor_module": "flightdeck_sensors", "sensor_name": sensor, "sensor_config": config, "inputs": None}
        kinds = {str: types_pb2.STRING, int: types_pb2.INTEGER}
        interface = {key: simple(kinds[type(value)]) for key, value in items.items()}
        template = sensor_template(custom, interface)
        fields = first_look(client, create_request(template, {key: literal(value) for key, value in items.items()}))
        # That of cases_sensor.py, but for the order of several inputs, which is nobody's.
        return {key: value for key, value in fields.items() if key != "resource_meta"}

    return Case(f"own/{sensor}/{name}", call)


def answers(name: str, config: dict[str, Any] | None = None, target: str = "json") -> Case:
    return look(name, "HttpSensor", config, url=f"{BACKEND}/{target}")


CASES: list[Case] = [
    look("past", "TimeSensor", until=PAST),
    look("future", "TimeSensor", until=FUTURE),
    look("newer", "FileNewerSensor", path=f"{HERE}/there", since=PAST),
    look("older", "FileNewerSensor", path=f"{HERE}/there", since=FUTURE),
    look("missing", "FileNewerSensor", path=f"{HERE}/missing", since=PAST),
    look("folder", "FileNewerSensor", path=f"{HERE}/folder", since=PAST),
    look("enough", "FileCountSensor", path=HERE, count=5),
    look("too-few", "FileCountSensor", path=HERE, count=500),
    look("file", "FileCountSensor", path=f"{HERE}/there", count=1),
    look("missing", "FileCountSensor", path=f"{HERE}/missing", count=1),
    answers("ok"),
    answers("missing", target="not-found"),
    answers("broken", target="error"),
    answers("status", {"status": 404}, "not-found"),
    answers("header", {"status": 200, "header": "Content-Type"}),
    answers("header-value", {"status": 200, "header": "content-type", "value": "application/json"}),
    answers("header-other", {"status": 200, "header": "content-type", "value": "text/html"}),
    answers("json", {"status": 200, "json": "ok"}),
    answers("json-item", {"status": 200, "json": "n.0", "equals": 1}),
    answers("json-other", {"status": 200, "json": "n.0", "equals": 2}),
    answers("json-missing", {"status": 200, "json": "a.b"}),
    answers("json-of-text", {"status": 200, "json": "ok"}, "text"),
]
