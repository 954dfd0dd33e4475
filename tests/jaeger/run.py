"""Tasks of every fate, read back from a real Jaeger."""

import json
import sys
import time

from backend import Backend
from processes import Flightdeck, Jaeger, wait_for

#: How soon a person finds a task.
FOUND_WITHIN = 10

#: What a trace must have, by the fate of its task.
FATES = {
    "success": {"create", "first poll", "phase change", "end"},
    "failure": {"create", "first poll", "failed poll", "phase change", "end"},
    "delete": {"create", "first poll", "delete", "end"},
    "timeout": {"create", "first poll", "phase change", "delete", "end"},
}


class Run:
    def __init__(self, jaeger, binary):
        self.backend = Backend()
        self.jaeger = Jaeger(jaeger)
        self.deck = Flightdeck(binary, self.backend.url, self.jaeger.endpoint)
        self.wrong = []

    def create(self, name):
        template = {"type": "http_job", "custom": {"name": name}}
        if name.startswith("timeout"):
            template["metadata"] = {"timeout": "3s"}
        request = {"template": template, "outputPrefix": f"s3://flyte/{name}/n0/data/0"}
        return self.deck.task("create", "--request", "-", "--project", "flytesnacks", "--domain", "development",
                              "--execution", name, "--node", "n0", "--attempt", "0", stdin=json.dumps(request))

    def get(self, handle):
        return self.deck.task("get", handle, "--type", "http_job")

    def until(self, handle, phase):
        wait_for(phase, lambda: f"phase: {phase}" in self.get(handle))

    def live(self, name, restart):
        """Lets a task live its life, over a restart of the service or not."""
        fate = name.split("-")[0]
        handle = self.create(name)
        self.until(handle, "RUNNING")
        if restart:
            self.deck.restart()
            self.until(handle, "RUNNING")
        if fate == "failure":
            self.backend.states[name] = 503
            before = self.backend.polls[name]
            wait_for("failed polls", lambda: self.backend.polls[name] > before + 1)
        if fate == "delete":
            self.deck.task("delete", handle, "--type", "http_job")
        else:
            state = {"success": "SUCCEEDED", "failure": "FAILED"}.get(fate)
            if state:
                self.backend.states[name] = state
            self.until(handle, state or "RETRYABLE_FAILED")

    def check(self, name):
        expected = FATES[name.split("-")[0]]
        begun = time.monotonic()
        traces = wait_for(name, lambda: self.complete(name, expected), FOUND_WITHIN)
        found = time.monotonic() - begun
        spans = traces[0]["spans"]
        roots = [span for span in spans if not span["references"] or span["operationName"] == "task"]
        names = sorted(span["operationName"] for span in spans)
        self.expect(len(traces) == 1, name, f"{len(traces)} traces")
        self.expect(len(roots) == 1, name, f"{len(roots)} roots")
        for span in spans:
            self.expect(not span["warnings"], name, f"{span['operationName']}: {span['warnings']}")
            for reference in span["references"]:
                if reference["refType"] == "CHILD_OF":
                    self.expect(reference["spanID"] == roots[0]["spanID"], name, f"{span['operationName']} is no child")
        for warning in traces[0].get("warnings") or []:
            self.expect(False, name, warning)
        print(f"{name}: found within {found:.1f} s: {', '.join(names)}")

    def complete(self, name, expected):
        traces = self.jaeger.traces(name)
        spans = {span["operationName"] for trace in traces for span in trace["spans"]}
        return traces if expected <= spans else None

    def expect(self, holds, name, what):
        if not holds:
            self.wrong.append(f"{name}: {what}")

    def run(self):
        names = [f"{fate}-{life}" for fate in FATES for life in ("once", "restarted")]
        for name in names:
            self.live(name, name.endswith("restarted"))
            self.check(name)
        self.deck.stop()
        self.unsampled()
        self.jaeger.stop()
        for wrong in self.wrong:
            print("WRONG", wrong)
        print(f"{len(names) + 1 - len({wrong.split(':')[0] for wrong in self.wrong})} passed, "
              f"{len({wrong.split(':')[0] for wrong in self.wrong})} failed")
        return bool(self.wrong)

    def unsampled(self):
        """A failure is found though nothing is sampled."""
        self.deck.environment["OTEL_TRACES_SAMPLER"] = "always_off"
        self.deck.start()
        self.live("failure-unsampled", False)
        self.check("failure-unsampled")
        self.deck.stop()


if __name__ == "__main__":
    sys.exit(Run(*sys.argv[1:]).run())
