"""Starts and stops the services that are compared, and talks to them with flyteidl's own stubs."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import grpc
from flyteidl.service import agent_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

import stores

sys.path.append(str(Path(__file__).resolve().parents[1]))

from ports import free_port  # noqa: E402

START_LIMIT = 60.0
CALL_LIMIT = 20.0


class StartError(Exception):
    """A service did not come up."""


PYFLYTE = Path(sys.executable).with_name("pyflyte")

EXAMPLES = Path(__file__).parents[2] / "examples"
"""Where the Python classes of Flightdeck's own sensors are."""


def environment(home: Path) -> dict[str, str]:
    """The same small environment for all, so that no proxy, credential or setting of the machine has a say."""
    return {
        "PATH": f"{PYFLYTE.parent}:{os.environ.get('PATH', '')}",
        "HOME": str(home),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "AWS_EC2_METADATA_DISABLED": "true",
        "PYTHONWARNINGS": "ignore",
        **stores.settings(),
    }


class Service:
    """A connector service in a process of its own."""

    def __init__(
        self,
        name: str,
        command: list[str],
        port: int,
        metrics_port: int,
        folder: Path,
        variables: dict[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port, self.metrics_port = port, metrics_port
        self.log = folder / f"{name}.log"
        (folder / "home").mkdir(exist_ok=True)
        (folder / "cwd").mkdir(exist_ok=True)
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder / "cwd",
                env=environment(folder / "home") | (variables or {}),
                start_new_session=True,
            )
        no_limit = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self.channel = grpc.insecure_channel(f"127.0.0.1:{port}", options=no_limit)
        self.tasks = agent_pb2_grpc.AsyncAgentServiceStub(self.channel)
        self.sync = agent_pb2_grpc.SyncAgentServiceStub(self.channel)
        self.metadata = agent_pb2_grpc.AgentMetadataServiceStub(self.channel)
        self.health = health_pb2_grpc.HealthStub(self.channel)

    def wait(self) -> None:
        """Until the health check says SERVING."""
        end = time.monotonic() + START_LIMIT
        while time.monotonic() < end:
            if self._process.poll() is not None:
                raise StartError(f"{self.name} ended with status {self._process.returncode}:\n{self.tail()}")
            try:
                reply = self.health.Check(health_pb2.HealthCheckRequest(), timeout=1, wait_for_ready=True)
                if reply.status == health_pb2.HealthCheckResponse.SERVING:
                    return
            except grpc.RpcError:
                pass
            time.sleep(0.05)
        raise StartError(f"{self.name} was not SERVING after {START_LIMIT:.0f} s:\n{self.tail()}")

    @property
    def pid(self) -> int:
        return self._process.pid

    def alive(self) -> bool:
        return self.status() is None

    def status(self) -> int | None:
        """That with which it has ended; None while it goes on."""
        return self._process.poll()

    def terminate(self) -> None:
        """SIGTERM."""
        self._process.terminate()

    def tail(self) -> str:
        """The end of what it wrote."""
        return self.log.read_text(errors="replace")[-3000:]

    def scrape(self, path: str = "/metrics") -> tuple[str, str]:
        """Content type and text of its metrics."""
        no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with no_proxy.open(f"http://127.0.0.1:{self.metrics_port}{path}", timeout=CALL_LIMIT) as reply:
            return reply.headers.get("Content-Type", ""), reply.read().decode()

    def stop(self) -> None:
        """End it and whatever it started, politely first."""
        self.channel.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(5)
            except subprocess.TimeoutExpired:
                pass
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(5)


def flytekit(name: str, folder: Path) -> Service:
    """The reference: flytekit's service as its users start it."""
    port, metrics = free_port(), free_port()
    command = [str(PYFLYTE), "serve", "connector", "--port", str(port), "--prometheus_port", str(metrics)]
    return Service(name, command, port, metrics, folder, {"PYTHONPATH": str(EXAMPLES)})


def flightdeck(name: str, binary: Path, folder: Path) -> Service:
    """Flightdeck as it comes."""
    port, metrics = free_port(), free_port()
    command = [str(binary), "serve", "--port", str(port), "--prometheus-port", str(metrics)]
    return Service(name, command, port, metrics, folder)


def plain_flightdeck(name: str, binary: Path, folder: Path) -> Service:
    """Flightdeck beside a fleet of Python services: plain handles, and typed as pyflyte's users type it."""
    port, metrics = free_port(), free_port()
    file = folder / f"{name}.toml"
    file.write_text('[tasks]\nhandle = "plain"\n')
    command = [str(binary), "serve", "connector", "--port", str(port), "--prometheus_port", str(metrics)]
    return Service(name, [*command, "--worker", "4", "--config", str(file)], port, metrics, folder)


def listens(host: str, port: int) -> bool:
    """Whether a connection to this address is taken."""
    try:
        socket.create_connection((host, port), timeout=2).close()
    except OSError:
        return False
    return True
