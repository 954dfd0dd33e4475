"""Runs every query of the dashboards and of the alerts on a real Prometheus that scrapes a Flightdeck with traffic."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stack import OBSERVABILITY, Failed, Flightdeck, Jaeger, Stack, fetch, free_port, text, until

SOURCE = OBSERVABILITY.parent / "src" / "telemetry"

CONFIG = """
[tasks]
max_tasks = 12
max_waiting_creates = 0
orphan_after = "1s"
give_up_after = "3s"

[polling]
first = ["200ms"]
interval = "500ms"
max_backoff = "1s"

[sensor]
interval = "500ms"

[server]
max_connection_age = "2s"

# Workers, and a service elsewhere: both are Flightdeck too, which knows the command line of pyflyte.
[[upstream]]
name = "workers"
command = ["{binary}", "serve", "connector", "--port", "{{port}}", "--prometheus_port", "{{metrics_port}}"]
environment = {{ FLIGHTDECK_ADMIN__ENABLED = "false" }}
prefer = ["webhook"]

[[upstream]]
name = "elsewhere"
endpoint = "http://127.0.0.1:{port}"
prefer = ["sensor"]
"""

SETTLED = 60.0
"""How long everything may take until it is in Prometheus, in seconds."""

UNPROVOKED = {"flightdeck_task_restarts_total"}
"""Nothing that is built in panics. That these are declared must do."""

METRIC = re.compile(r"\b(?:flightdeck|flyte|rpc|process|traces|up|ALERTS)[a-z0-9_:]*\b(?!\s*=|[.\"])")

VARIABLES = {
    "$__rate_interval": "1m",
    "$$__tags": 'task_type="sensor"',
    "$instance": ".*",
    "$task_type": "sensor",
}


def filled(query: str) -> str:
    """A query as Grafana sends it."""
    for variable, value in VARIABLES.items():
        query = query.replace(variable, value)
    return query


def queries() -> list[tuple[str, str]]:
    """Each query of Grafana's files, with where it stands."""
    found = []
    for path in sorted((OBSERVABILITY / "grafana" / "dashboards").glob("*.json")):
        board = json.loads(path.read_text())
        for panel in board["panels"]:
            for target in panel.get("targets", []):
                if "expr" in target:
                    found.append((f"{path.name}: {panel['title']}", filled(target["expr"])))
        for variable in board["templating"]["list"]:
            if variable["type"] == "query":
                values = re.fullmatch(r"label_values\((.*), (\w+)\)", variable["query"]["query"])
                if not values:
                    raise Failed(f"{path.name}: the variable {variable['name']} is not understood")
                found.append((f"{path.name}: ${variable['name']}", f"count by ({values[2]}) ({values[1]})"))
    path = OBSERVABILITY / "grafana" / "provisioning" / "datasources" / "datasources.yaml"
    for query in re.findall(r"^ *query: (.*)$", path.read_text(), re.MULTILINE):
        found.append((path.name, filled(query)))
    return found


class Prometheus:
    """Prometheus with `prometheus/`, but for its targets and its pace."""

    def __init__(self, stack: Stack, folder: Path, port: int, targets: dict[str, int]) -> None:
        for file in (OBSERVABILITY / "prometheus").glob("*.yml"):
            config = file.read_text().replace(": 10s", ": 1s")
            for target, moved in targets.items():
                config = config.replace(target, f"127.0.0.1:{moved}")
            (stack.folder / file.name).write_text(config)
        self.url = f"http://127.0.0.1:{port}"
        command = [str(folder / "prometheus"), f"--config.file={stack.folder}/prometheus.yml"]
        command.append(f"--storage.tsdb.path={stack.folder}/prometheus")
        process = stack.run("prometheus", [*command, f"--web.listen-address=127.0.0.1:{port}"], {})
        process.until_answers(f"{self.url}/-/ready")

    def ask(self, query: str) -> list[object] | None:
        """The result, or nothing if the query is refused."""
        reply = fetch(f"{self.url}/api/v1/query", query=query)
        return reply["data"]["result"] if reply else None

    def names(self) -> set[str]:
        return set(fetch(f"{self.url}/api/v1/label/__name__/values")["data"])


def worker(pid: int) -> int | None:
    """The process of a worker, a descendant of the service."""
    children = [path.read_text().split() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    for child in sum(children, []):
        # A guard may stand between, with the same words behind its own.
        if below := worker(int(child)):
            return below
        if b"connector" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    return None


def traffic(service: Flightdeck, elsewhere: Flightdeck, folder: Path) -> subprocess.Popen[str]:
    """Something of everything that is counted. A client that is left holds a connection until it is killed."""
    ready = folder / "ready"
    ready.touch()
    absent = ["--type", "sensor", "--input", f"path={folder}/absent"]
    # Counters begin anew with a restart, so it comes first.
    task = service.create(*absent)
    service.restart()
    service.until_phase(task, "sensor", "RUNNING")
    watching = service.watch(task, "sensor")
    pid = worker(service.process.child.pid)
    if pid is None:
        raise Failed("the service has no worker")
    os.kill(pid, signal.SIGKILL)
    done = service.create("--type", "sensor", "--input", f"path={ready}")
    service.until_phase(done, "sensor", "SUCCEEDED")
    deleted = service.create(*absent)
    service.until_phase(deleted, "sensor", "RUNNING")
    service.call("delete", deleted, "--type", "sensor")
    webhook = {"url": f"http://127.0.0.1:{elsewhere.metrics}/", "method": "GET", "headers": {}, "data": None}
    webhook |= {"show_data": False, "show_url": False, "timeout_sec": 2}
    service.call("run", "--type", "webhook", "--custom", json.dumps(webhook))
    service.call("create", "--type", "nobody's")
    # A backend that hangs: the Create's caller leaves, and its job is an orphan.
    elsewhere.process.send(signal.SIGSTOP)
    service.call("create", *absent, "--deadline", "300ms", "--execution", "orphan", "--output-prefix", "s3://b/orphan")
    elsewhere.process.send(signal.SIGCONT)
    # More than there is room for.
    for _ in range(14):
        service.call("create", *absent)
    until_orphaned(service)
    # A backend that is gone for good.
    elsewhere.process.stop(signal.SIGKILL)
    service.call("delete", task, "--type", "sensor")
    return watching


def until_orphaned(service: Flightdeck) -> None:
    """Waits until the orphan is deleted, which needs its backend."""

    def ask() -> bool | None:
        return True if "flightdeck_orphans_total{" in (text(f"http://127.0.0.1:{service.metrics}/metrics") or "") else None

    until("the orphan is not deleted", ask)


def faults_of(prometheus: Prometheus, metrics: set[str]) -> list[str]:
    """What is wrong with rules and queries by now."""
    faults = []
    every = queries()
    rules = [rule for group in fetch(f"{prometheus.url}/api/v1/rules")["data"]["groups"] for rule in group["rules"]]
    for rule in rules:
        every.append((f"alerts.yml: {rule['name']}", rule["query"]))
        if rule["health"] != "ok":
            faults.append(f"alerts.yml: {rule['name']}: {rule.get('lastError') or rule['health']}")
    for where, query in every:
        # Names that stand in label matchers are texts.
        names = set(METRIC.findall(re.sub(r"\{[^}]*\}|\([a-z_, ]+\) \(", "(", query)))
        faults += [f"{where}: there is no metric {name}" for name in sorted(names - metrics - UNPROVOKED)]
        if not names and not query.startswith("vector("):
            faults.append(f"{where}: no metric is found in {query}")
        result = prometheus.ask(query)
        if result is None:
            faults.append(f"{where}: Prometheus refuses {query}")
        # An alert that is silent is well.
        elif not result and not where.startswith("alerts.yml") and not names & UNPROVOKED:
            faults.append(f"{where}: no data for {query}")
    return faults


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", type=Path, help="path of the flightdeck binary")
    parser.add_argument("--jaeger", required=True, help="path of Jaeger's binary")
    parser.add_argument("--prometheus", required=True, type=Path, help="the folder of the prometheus binary")
    arguments = parser.parse_args()
    binary = arguments.binary.resolve()
    folder = Path(tempfile.mkdtemp(prefix="flightdeck-queries-"))
    with Stack(folder) as stack:
        port = free_port()
        jaeger = Jaeger(stack, arguments.jaeger, f"http://127.0.0.1:{port}")
        elsewhere = Flightdeck(stack, binary, "elsewhere", "")
        config = CONFIG.format(binary=binary, port=elsewhere.port)
        service = Flightdeck(stack, binary, "flightdeck", config, jaeger.otlp)
        targets = {"flightdeck:9090": service.metrics, "jaeger:8889": jaeger.span_metrics, "jaeger:8888": jaeger.metrics}
        prometheus = Prometheus(stack, arguments.prometheus, port, targets)
        watching = traffic(service, elsewhere, folder)

        # Rates need two scrapes of everything.
        end = time.monotonic() + SETTLED
        while True:
            faults = faults_of(prometheus, prometheus.names())
            calls = fetch(f"{jaeger.url}/api/metrics/calls", service="flightdeck", groupByOperation="true")
            if not (calls or {}).get("metrics"):
                faults.append("Jaeger's page Monitor has no data")
            if not faults or time.monotonic() > end:
                break
            time.sleep(1)
        watching.kill()
        watching.wait()
        declared = "".join(path.read_text() for path in SOURCE.rglob("*.rs"))
        faults += [f"{name} is not declared" for name in sorted(UNPROVOKED) if f'"{name}"' not in declared]
        up = len(prometheus.ask("up == 1") or [])
        if up != len(targets):
            faults.append(f"of {len(targets)} targets {up} are up")
        count = len(queries())
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        print(f"{len(faults)} faults; the logs are in {folder}", file=sys.stderr)
        return 1
    shutil.rmtree(folder)
    print(f"{count} queries have data, and every rule is evaluated")
    return 0


if __name__ == "__main__":
    sys.exit(main())
