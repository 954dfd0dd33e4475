"""Who is asked: flytekit with the team's modules, and Flightdeck in front of the same modules in each way there is."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import dataclass
from pathlib import Path

import workers
from services import PYFLYTE, Service, free_port

MODULES = "team_connectors"

HERE = Path(__file__).resolve().parent

WORKER = ["pyflyte", "serve", "connector", "--port", "{port}", "--prometheus_port", "{metrics_port}"]
"""A worker's command, but for its modules. pyflyte is found on PATH."""

CONFIG = """
[tasks]
handle = "{handle}"
persist_for = "{persist_for}"
retention = "1m"

[polling]
first = {first}
interval = "{interval}"
max_backoff = "{interval}"
"""


@dataclass(frozen=True)
class Pace:
    """When Flightdeck polls, and how long a failure must last to count."""

    first: tuple[str, ...] = ("100ms",)
    interval: str = "200ms"
    persist_for: str = "6s"

    def config(self, handle: str = "envelope") -> str:
        return CONFIG.format(
            handle=handle, persist_for=self.persist_for, first=json.dumps(self.first), interval=self.interval
        )


def upstream(**fields: object) -> str:
    """An `[[upstream]]`. JSON's strings, numbers and lists are TOML's too."""
    lines = []
    for name, value in ({"name": "team"} | fields).items():
        if isinstance(value, dict):
            lines += [f"{name}.{key} = {json.dumps(item)}" for key, item in value.items()]
        else:
            lines.append(f"{name} = {json.dumps(value)}")
    return "\n".join(["[[upstream]]", *lines, ""])


class Deployments:
    """Starts services that have the folder's jobs for their backend."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self.binary = binary
        self.folder = folder
        self.jobs, self.files = folder / "jobs", folder / "files"
        self.jobs.mkdir()
        self.files.mkdir()
        (folder / "cwd").mkdir()
        self.started: list[Service] = []

    def flytekit(self, name: str, port: int | None = None) -> Service:
        """`pyflyte serve connector --modules team_connectors`."""
        port, metrics = port or free_port(), free_port()
        command = [str(PYFLYTE), "serve", "connector", "--port", str(port), "--prometheus_port", str(metrics)]
        return self._start(name, [*command, "--modules", MODULES], port, metrics)

    def endpoint(self, name: str, pace: Pace, target: Service, **fields: object) -> Service:
        """Flightdeck in front of a service that runs elsewhere."""
        config = pace.config() + upstream(endpoint=f"http://127.0.0.1:{target.port}", **fields)
        return self.flightdeck(name, config)

    def modules(self, name: str, pace: Pace) -> Service:
        """Flightdeck with the words and flags of pyflyte's users."""
        return self.flightdeck(name, pace.config(), "--worker", "4", "--modules", MODULES)

    def command(self, name: str, pace: Pace, handle: str = "envelope", **fields: object) -> Service:
        """Flightdeck with workers that its configuration names, and that find the modules in their folder."""
        fields |= {"directory": str(HERE), "environment": self.variables()}
        config = pace.config(handle) + upstream(command=[*WORKER, "--modules", MODULES], **fields)
        return self.flightdeck(name, config, variables={})

    def flightdeck(
        self, name: str, config: str, *flags: str, port: int | None = None, variables: dict[str, str] | None = None
    ) -> Service:
        """Flightdeck with this configuration."""
        port, metrics = port or free_port(), free_port()
        file = self.folder / f"{name}.toml"
        file.write_text(config + "\n[admin]\nenabled = false\n")
        command = [str(self.binary), "serve", "connector", "--port", str(port), "--prometheus_port", str(metrics)]
        return self._start(name, [*command, "--config", str(file), *flags], port, metrics, variables)

    def variables(self) -> dict[str, str]:
        """What the connectors need to know."""
        return {"PYTHONDONTWRITEBYTECODE": "1", "TEAM_JOBS": str(self.jobs)}

    def _start(
        self, name: str, command: list[str], port: int, metrics: int, variables: dict[str, str] | None = None
    ) -> Service:
        if variables is None:
            variables = self.variables() | {"PYTHONPATH": str(HERE)}
        service = Service(name, command, port, metrics, self.folder, variables)
        self.started.append(service)
        return service

    def stop(self) -> None:
        """End all that was started, and what should have ended with it."""
        for service in self.started:
            service.stop()
        for pid in workers.left_behind(str(self.jobs)):
            os.kill(pid, signal.SIGKILL)
