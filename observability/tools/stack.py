"""Starts Flightdeck, Jaeger and Prometheus as processes on free ports, from the files of this folder."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, TypeVar

HERE = Path(__file__).resolve().parent
OBSERVABILITY = HERE.parent
sys.path.append(str(OBSERVABILITY.parent / "tests"))

from ports import free_port  # noqa: E402

START = 30.0
"""How long a program may take until it answers, in seconds."""

T = TypeVar("T")


class Failed(Exception):
    """What a run found wrong."""


def until(what: str, ask: Callable[[], T | None], seconds: float = START) -> T:
    """Asks until there is an answer."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer is not None:
            return answer
        if time.monotonic() > end:
            raise Failed(f"after {seconds:.0f} s still: {what}")
        time.sleep(0.1)


def fetch(url: str, **query: object) -> Any:
    """The JSON at a URL, or nothing if there is none."""
    if query:
        url += "?" + urllib.parse.urlencode(query)
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return json.load(reply)
    except (OSError, ValueError):
        return None


def text(url: str) -> str | None:
    """The text at a URL, or nothing if nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=10) as reply:
            return reply.read().decode()
    except OSError:
        return None


@dataclass
class Process:
    """A program with its log in a file."""

    name: str
    command: list[str]
    folder: Path
    environment: dict[str, str] = field(default_factory=dict)

    def start(self) -> None:
        log = (self.folder / f"{self.name}.log").open("ab")
        self.child = subprocess.Popen(self.command, env=self.environment, stdout=log, stderr=log, cwd=self.folder)

    def until_answers(self, url: str) -> None:
        """Waits until it answers there."""

        def ask() -> str | None:
            if self.child.poll() is not None:
                raise Failed(f"{self.name} ended with {self.child.returncode}:\n{self.log()[-4000:]}")
            return text(url)

        until(f"{self.name} does not answer at {url}", ask)

    def log(self) -> str:
        """What it said."""
        return (self.folder / f"{self.name}.log").read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        self.child.send_signal(number)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ends it, and tells its status."""
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGCONT)
            self.child.send_signal(number)
        try:
            return self.child.wait(30)
        except subprocess.TimeoutExpired:
            self.child.kill()
            raise Failed(f"{self.name} does not stop") from None


class Stack:
    """What was started; all of it is stopped at the end."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.processes: list[Process] = []

    def __enter__(self) -> Stack:
        return self

    def __exit__(self, *_: object) -> None:
        for process in reversed(self.processes):
            process.stop(signal.SIGKILL)

    def run(self, name: str, command: list[str], environment: dict[str, str]) -> Process:
        process = Process(name, command, self.folder, {"PATH": "/usr/bin:/bin"} | environment)
        process.start()
        self.processes.append(process)
        return process


class Jaeger:
    """Jaeger with `jaeger/config.yaml`, but for its ports."""

    def __init__(self, stack: Stack, binary: str, prometheus: str = "http://127.0.0.1:9") -> None:
        config = (OBSERVABILITY / "jaeger" / "config.yaml").read_text()
        # The other ports are not used, but must be free.
        ports: dict[str, int] = {}

        def move(match: re.Match[str]) -> str:
            return f"127.0.0.1:{ports.setdefault(match[1], free_port())}"

        config = re.sub(r"\b0\.0\.0\.0:(\d+)", move, config)
        config = re.sub(r"\bport: 8888\b", f"port: {ports.setdefault('8888', free_port())}", config)
        path = stack.folder / "jaeger.yaml"
        path.write_text(config)
        self.otlp = f"http://127.0.0.1:{ports['4317']}"
        self.url = f"http://127.0.0.1:{ports['16686']}"
        self.span_metrics, self.metrics = ports["8889"], ports["8888"]
        ui = str(OBSERVABILITY / "jaeger" / "ui.json")
        # Jaeger traces itself too, to port 4317, unless it is told not to.
        environment = {"JAEGER_UI": ui, "PROMETHEUS_URL": prometheus, "OTEL_TRACES_SAMPLER": "always_off"}
        self.process = stack.run("jaeger", [binary, "--config", str(path)], environment)
        self.process.until_answers(f"{self.url}/api/services")

    def search(self, operation: str, tags: dict[str, str], limit: int = 20) -> list[dict[str, Any]]:
        """Traces of Flightdeck, as the search page finds them."""
        reply = fetch(
            f"{self.url}/api/traces",
            service="flightdeck",
            operation=operation,
            tags=json.dumps(tags),
            lookback="1h",
            limit=limit,
        )
        return (reply or {}).get("data") or []

    def trace(self, trace: str) -> dict[str, Any] | None:
        """One trace."""
        data = (fetch(f"{self.url}/api/traces/{trace}") or {}).get("data")
        return data[0] if data else None


class Flightdeck:
    """A `flightdeck serve`, and its command line as a client."""

    def __init__(
        self, stack: Stack, binary: Path, name: str, config: str, otlp: str | None = None, **environment: str
    ) -> None:
        self.binary = binary
        self.port, self.metrics = free_port(), free_port()
        self.starts = 0
        path = stack.folder / f"{name}.toml"
        path.write_text(config)
        environment |= {
            "FLIGHTDECK_SERVER__PORT": str(self.port),
            "FLIGHTDECK_SERVER__HOST": "127.0.0.1",
            "FLIGHTDECK_METRICS__PORT": str(self.metrics),
            "FLIGHTDECK_METRICS__HOST": "127.0.0.1",
            "FLIGHTDECK_ADMIN__ENABLED": "false",
        }
        if otlp:
            environment["OTEL_EXPORTER_OTLP_ENDPOINT"] = otlp
        self.process = stack.run(name, [str(binary), "serve", "--config", str(path)], environment)
        self.until_serves()

    def until_serves(self) -> None:
        """Waits until it is SERVING, with its upstreams."""
        self.process.until_answers(f"http://127.0.0.1:{self.metrics}/metrics")
        self.starts += 1
        until(f"{self.process.name} does not serve", self._serves)

    def _serves(self) -> bool | None:
        served = len(re.findall(r" INFO serving$", self.process.log(), re.MULTILINE))
        return True if served == self.starts else None

    def restart(self, number: signal.Signals = signal.SIGTERM) -> None:
        """Another process with the same settings."""
        self.process.stop(number)
        self.process.start()
        self.until_serves()

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`flightdeck task ...`"""
        endpoint = ["--endpoint", f"http://127.0.0.1:{self.port}"]
        return subprocess.run(
            [str(self.binary), "task", *arguments, *endpoint], capture_output=True, text=True, check=False
        )

    def watch(self, handle: str, task_type: str) -> subprocess.Popen[str]:
        """`flightdeck task watch`, which holds its connection until it is killed."""
        endpoint = ["--endpoint", f"http://127.0.0.1:{self.port}"]
        command = [str(self.binary), "task", "watch", handle, "--type", task_type, *endpoint]
        return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, text=True)

    def create(self, *arguments: str) -> str:
        """A new task: its handle."""
        called = self.call("create", *arguments)
        if called.returncode != 0:
            raise Failed(f"create {arguments}: {called.stderr}")
        return called.stdout.strip()

    def phase(self, handle: str, task_type: str) -> str:
        """The phase that a Get tells."""
        called = self.call("get", handle, "--type", task_type)
        found = re.search(r"phase: (\w+)", called.stdout)
        if not found:
            raise Failed(f"get: {called.stdout}{called.stderr}")
        return found[1]

    def until_phase(self, handle: str, task_type: str, phase: str, seconds: float = START) -> None:
        def ask() -> bool | None:
            return True if self.phase(handle, task_type) == phase else None

        until(f"a task of type {task_type} is not {phase}", ask, seconds)
