"""Jaeger and Flightdeck as processes."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

LIMIT = 30

JAEGER = """
service:
  extensions: [jaeger_storage, jaeger_query]
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [jaeger_storage_exporter]}}
  telemetry:
    metrics: {{level: none}}
    logs: {{level: error}}
extensions:
  jaeger_query:
    storage: {{traces: memory}}
    http: {{endpoint: "127.0.0.1:{query}"}}
    grpc: {{endpoint: "127.0.0.1:{grpc}"}}
  jaeger_storage: {{backends: {{memory: {{memory: {{max_traces: 100000}}}}}}}}
receivers:
  otlp: {{protocols: {{grpc: {{endpoint: "127.0.0.1:{otlp}"}}}}}}
processors: {{batch: {{timeout: 100ms}}}}
exporters: {{jaeger_storage_exporter: {{trace_storage: memory}}}}
"""


def free_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


def wait_for(what, condition, limit=LIMIT):
    begun = time.monotonic()
    while time.monotonic() - begun < limit:
        found = condition()
        if found:
            return found
        time.sleep(0.05)
    raise SystemExit(f"waited {limit} s in vain for {what}")


class Jaeger:
    def __init__(self, binary):
        self.ports = {name: free_port() for name in ("query", "grpc", "otlp")}
        config = tempfile.NamedTemporaryFile("w", suffix=".yaml", delete=False)
        with config:
            config.write(JAEGER.format(**self.ports))
        self.process = subprocess.Popen([binary, "--config", config.name], stdout=subprocess.DEVNULL,
                                        env=os.environ | {"OTEL_TRACES_SAMPLER": "always_off"})
        wait_for("Jaeger", lambda: self.ask("services") is not None)

    @property
    def endpoint(self):
        return f"http://127.0.0.1:{self.ports['otlp']}"

    def ask(self, path, **query):
        url = f"http://127.0.0.1:{self.ports['query']}/api/{path}?{urllib.parse.urlencode(query)}"
        try:
            with urllib.request.urlopen(url, timeout=LIMIT) as reply:
                return json.load(reply)
        except (urllib.error.URLError, ConnectionError):
            return None

    def traces(self, execution):
        """The traces that a person would find for a workflow's execution."""
        tags = json.dumps({"flyte.execution": execution})
        found = self.ask("traces", service="flightdeck", operation="task", tags=tags, limit=20, lookback="1h")
        return found["data"] if found else []

    def stop(self):
        self.process.kill()
        self.process.wait()


class Flightdeck:
    def __init__(self, binary, backend, endpoint, **settings):
        self.binary, self.port = binary, free_port()
        self.environment = os.environ | {
            "HTTP_JOBS_URL": backend,
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_BSP_SCHEDULE_DELAY": "200",
            "FLIGHTDECK_SERVER__DRAIN_GRACE": "0s",
            "FLIGHTDECK_ADMIN__ENABLED": "false",
            "FLIGHTDECK_METRICS__PORT": "0",
            "FLIGHTDECK_POLLING__INTERVAL": "200ms",
            "FLIGHTDECK_POLLING__MAX_BACKOFF": "400ms",
            "FLIGHTDECK_TASKS__ENFORCE_TIMEOUT": "true",
            "RUST_LOG": "error",
        } | settings
        self.start()

    def start(self):
        self.process = subprocess.Popen([self.binary, "serve", "--port", str(self.port)], env=self.environment,
                                        stdout=subprocess.DEVNULL)
        wait_for("Flightdeck", self.listens)

    def listens(self):
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(LIMIT) == 0

    def restart(self):
        self.stop()
        self.start()

    def task(self, *arguments, stdin=None):
        """A command of the client: its output, whatever its status."""
        command = [self.binary, "task", *arguments, "--endpoint", f"127.0.0.1:{self.port}"]
        done = subprocess.run(command, env=self.environment, input=stdin, capture_output=True, text=True, timeout=LIMIT)
        return done.stdout.strip() or done.stderr.strip()
