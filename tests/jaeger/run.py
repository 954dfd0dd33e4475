"""Creates tasks and reads their traces back from a real Jaeger, after each step."""

from __future__ import annotations

import argparse
import json
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Callable

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parents[1]
sys.path.insert(0, str(REPOSITORY / "observability" / "tools"))

from stack import Failed, Flightdeck, Jaeger, Stack, free_port, until  # noqa: E402

FOUND = 10.0
"""In so many seconds a step is to be seen in Jaeger. The batches are as they are by default."""

CONFIG = """
[tasks]
enforce_timeout = true
give_up_after = "{give_up_after}"

[polling]
first = ["200ms"]
interval = "500ms"
max_backoff = "1s"

[sensor]
interval = "500ms"
"""

UPSTREAM = """
[[upstream]]
name = "elsewhere"
endpoint = "http://127.0.0.1:{port}"
prefer = ["sensor"]
"""

CHILDREN = {"create", "first poll", "phase change", "failed poll", "delete", "end"}

IDENTITY = {
    "flyte.project": "flytesnacks",
    "flyte.domain": "development",
    "flyte.node": "n0",
    "flyte.attempt": 1,
}

slowest = 0.0
"""Of all looks into Jaeger, in seconds."""


def check(holds: bool, what: str) -> None:
    if not holds:
        raise Failed(what)


def tags(span: dict[str, Any]) -> dict[str, Any]:
    return {tag["key"]: tag["value"] for tag in span["tags"]}


def names(trace: dict[str, Any]) -> list[str]:
    """What happened, in the order in which it was over."""
    spans = sorted(trace["spans"], key=lambda span: span["startTime"] + span["duration"])
    return [span["operationName"] for span in spans]


def only(trace: dict[str, Any], name: str) -> dict[str, Any]:
    """The one span of this name."""
    found = [span for span in trace["spans"] if span["operationName"] == name]
    check(len(found) == 1, f"{len(found)} spans are named {name}, of {names(trace)}")
    return found[0]


def instances(trace: dict[str, Any]) -> set[str]:
    """The processes that its spans are of."""
    every = [tag for process in trace["processes"].values() for tag in process["tags"]]
    return {tag["value"] for tag in every if tag["key"] == "service.instance.id"}


class Task:
    """A task of an execution of its own, and its trace."""

    def __init__(self, service: Flightdeck, jaeger: Jaeger, name: str, *arguments: str, of: str = "sensor") -> None:
        self.service, self.jaeger, self.name, self.type = service, jaeger, name, of
        self.prefix = f"s3://flyte/{name}/n0/data/1"
        identity = ["--project", "flytesnacks", "--domain", "development", "--execution", name, "--node", "n0"]
        self.handle = service.create(*arguments, *identity, "--attempt", "1", "--output-prefix", self.prefix)

    def until(self, phase: str) -> None:
        self.service.until_phase(self.handle, self.type, phase)

    def seen(self, what: str, is_there: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """Waits until Jaeger's search by execution finds the trace with this in it. It must be sound then too."""
        global slowest
        begun = time.monotonic()

        def look() -> dict[str, Any] | None:
            found = self.jaeger.search("task", {"flyte.execution": self.name})
            check(len(found) <= 1, f"{self.name} has {len(found)} traces")
            return found[0] if found and is_there(found[0]) else None

        trace = until(f"{self.name}: Jaeger does not have {what}", look, FOUND)
        slowest = max(slowest, time.monotonic() - begun)
        self.sound(trace)
        return trace

    def has(self, *wanted: str) -> dict[str, Any]:
        return self.seen(" and ".join(wanted), lambda trace: set(wanted) <= set(names(trace)))

    def sound(self, trace: dict[str, Any]) -> None:
        """What holds for every trace of a task at any time."""
        root = only(trace, "task")
        check(not [r for r in root["references"] if r["refType"] == "CHILD_OF"], "the root has a parent")
        check(root["duration"] == 1, f"the root lasts {root['duration']} us")
        for span in trace["spans"]:
            where = f"{self.name}: the span {span['operationName']}"
            check(not span["warnings"], f"{where} has warnings: {span['warnings']}")
            told = tags(span)
            for key, value in {
                **IDENTITY,
                "flyte.execution": self.name,
                "flyte.task_type": self.type,
                "flightdeck.task_id": tags(root)["flightdeck.task_id"],
            }.items():
                check(told.get(key) == value, f"{where} has {key} = {told.get(key)!r}, not {value!r}")
            # A handle does not have it, so after a restart spans do not either.
            check(told.get("flyte.output_prefix", self.prefix) == self.prefix, f"{where} has another output prefix")
            if span is root:
                check("flyte.output_prefix" in told, "the root has no output prefix")
                continue
            check(span["operationName"] in CHILDREN, f"{where} is unknown")
            parents = [r["spanID"] for r in span["references"] if r["refType"] == "CHILD_OF"]
            check(parents == [root["spanID"]], f"{where} is no direct child of the root")
            check("flyte.phase" in told, f"{where} tells no phase")
        check(not trace["warnings"], f"{self.name}: the trace has warnings: {trace['warnings']}")

    def linked(self, trace: dict[str, Any]) -> None:
        """The request that made it and the root lead to each other."""
        root = only(trace, "task")
        links = [r for r in root["references"] if r["refType"] == "FOLLOWS_FROM"]
        check(len(links) == 1, f"{self.name}: the root has {len(links)} links")
        request = self.jaeger.trace(links[0]["traceID"])
        check(request is not None, f"{self.name}: the trace of its Create is not there")
        spans = [span for span in request["spans"] if span["spanID"] == links[0]["spanID"]]
        check(len(spans) == 1, f"{self.name}: the root's link leads to no span")
        back = [r["spanID"] for r in spans[0]["references"] if r["refType"] == "FOLLOWS_FROM"]
        check(back == [root["spanID"]], f"{self.name}: the span of its Create links to {back}")
        name = spans[0]["operationName"]
        check(name == "flyteidl.service.AsyncAgentService/CreateTask", f"{self.name}: its Create is named {name}")


class Steps:
    """Each step is a task, or what happens to one."""

    def __init__(self, stack: Stack, jaeger: Jaeger, binary: Path) -> None:
        self.folder, self.jaeger = stack.folder, jaeger
        config = CONFIG.format(give_up_after="1h")
        self.service = Flightdeck(stack, binary, "flightdeck", config, jaeger.otlp)
        # A connector service elsewhere, whose failures are those of a backend. It sends no traces.
        self.elsewhere = Flightdeck(stack, binary, "elsewhere", "")
        upstream = UPSTREAM.format(port=self.elsewhere.port)
        self.front = Flightdeck(stack, binary, "front", config + upstream, jaeger.otlp)
        config = CONFIG.format(give_up_after="3s")
        self.impatient = Flightdeck(stack, binary, "impatient", config + upstream, jaeger.otlp)
        never = {"OTEL_TRACES_SAMPLER": "always_off"}
        self.rarely = Flightdeck(stack, binary, "rarely", config + upstream, jaeger.otlp, **never)

    def sensor(self, service: Flightdeck, name: str, *more: str) -> tuple[Task, Path]:
        path = self.folder / name
        return Task(service, self.jaeger, name, "--type", "sensor", "--input", f"path={path}", *more), path

    def success(self) -> dict[str, Any]:
        task, path = self.sensor(self.service, "success")
        task.until("RUNNING")
        trace = task.has("create", "first poll", "phase change")
        check("end" not in names(trace), "it has ended")
        task.linked(trace)
        path.touch()
        task.until("SUCCEEDED")
        trace = task.has("end")
        wanted = ["task", "create", "first poll", "phase change", "phase change", "end"]
        check(sorted(names(trace)) == sorted(wanted), f"the trace has {names(trace)}")
        root, end = only(trace, "task"), only(trace, "end")
        check(end["startTime"] == root["startTime"], "the end does not begin with the task")
        check(tags(end)["flyte.phase"] == "SUCCEEDED" and "error" not in tags(end), f"the end is {tags(end)}")
        slow = self.jaeger.search("end", {"flyte.execution": "success"})
        check(len(slow) == 1, "it is not found by its end")
        return trace

    def polls_that_fail(self) -> dict[str, Any]:
        task, path = self.sensor(self.front, "polls-that-fail")
        task.until("RUNNING")
        self.elsewhere.process.stop(signal.SIGKILL)
        trace = task.seen("two failed polls", lambda trace: names(trace).count("failed poll") >= 2)
        failed = next(span for span in trace["spans"] if span["operationName"] == "failed poll")
        told = tags(failed)
        check(told.get("error") is True and told["flyte.phase"] == "RUNNING", f"a failed poll has {told}")
        check(bool(told.get("otel.status_description")), "a failed poll has no cause")
        self.elsewhere.process.start()
        self.elsewhere.until_serves()
        path.touch()
        task.until("SUCCEEDED")
        return task.has("failed poll", "end")

    def bad_day(self) -> dict[str, Any]:
        """The backend goes, the service is restarted meanwhile, and the backend comes back."""
        task, path = self.sensor(self.front, "bad-day")
        task.until("RUNNING")
        self.elsewhere.process.stop(signal.SIGKILL)
        task.seen("two failed polls", lambda trace: names(trace).count("failed poll") >= 2)
        self.front.restart()
        # Nobody has polled it in the new process, and it is RUNNING all the same.
        task.until("RUNNING")
        self.elsewhere.process.start()
        self.elsewhere.until_serves()
        task.seen("the first poll of the new process", lambda trace: names(trace).count("first poll") == 2)
        path.touch()
        task.until("SUCCEEDED")
        trace = task.has("end")
        check(len(instances(trace)) == 2, f"the spans are of {len(instances(trace))} processes")
        return trace

    def given_up(self) -> dict[str, Any]:
        task, _ = self.sensor(self.impatient, "given-up")
        task.until("RUNNING")
        self.elsewhere.process.stop(signal.SIGKILL)
        task.until("RETRYABLE_FAILED")
        trace = task.has("failed poll", "end")
        told = tags(only(trace, "end"))
        check(told["flyte.phase"] == "RETRYABLE_FAILED" and told.get("error") is True, f"the end is {told}")
        # Not `error=true`: Jaeger's store in memory (2.13) takes the text for false and finds none.
        failures = self.jaeger.search("end", {"flyte.phase": "RETRYABLE_FAILED", "flyte.execution": "given-up"})
        check(len(failures) == 1, "it is not found by the phase of its end")
        self.elsewhere.process.start()
        self.elsewhere.until_serves()
        return trace

    def failure(self) -> dict[str, Any]:
        custom = {"url": f"http://127.0.0.1:{free_port()}/", "method": "GET", "headers": {}, "data": None}
        custom |= {"show_data": False, "show_url": False, "timeout_sec": 2}
        task = Task(
            self.service, self.jaeger, "failure", "--type", "webhook", "--custom", json.dumps(custom), of="webhook"
        )

        def ended() -> str | None:
            phase = self.service.phase(task.handle, "webhook")
            return phase if phase in ("FAILED", "RETRYABLE_FAILED") else None

        phase = until("a webhook to nobody has not failed", ended)
        trace = task.has("end")
        told = tags(only(trace, "end"))
        check(told["flyte.phase"] == phase and told.get("error") is True, f"the end is {told}")
        return trace

    def unsampled(self) -> dict[str, Any]:
        """A failure is sent though nothing is sampled, a success is not."""
        success, path = self.sensor(self.rarely, "unsampled-success")
        path.touch()
        success.until("SUCCEEDED")
        task, _ = self.sensor(self.rarely, "unsampled")
        task.until("RUNNING")
        self.elsewhere.process.stop(signal.SIGKILL)
        task.until("RETRYABLE_FAILED")
        trace = task.has("create", "first poll", "failed poll", "end")
        check(not self.jaeger.search("task", {"flyte.execution": "unsampled-success"}), "a success was sent")
        self.elsewhere.process.start()
        self.elsewhere.until_serves()
        return trace

    def delete(self, name: str = "delete") -> dict[str, Any]:
        task, _ = self.sensor(self.service, name)
        task.until("RUNNING")
        if name != "delete":
            self.service.restart()
        called = self.service.call("delete", task.handle, "--type", "sensor")
        check(called.returncode == 0, called.stderr)
        trace = task.has("delete", "end")
        check(tags(only(trace, "delete")).get("error") is None, "the delete is an error")
        return trace

    def delete_after_restart(self) -> dict[str, Any]:
        return self.delete("delete-after-restart")

    def timeout(self, name: str = "timeout", seconds: int = 2) -> dict[str, Any]:
        template = {
            "type": "sensor",
            "metadata": {"timeout": f"{seconds}s"},
            "custom": {"sensor_module": "flytekit.sensor.file_sensor", "sensor_name": "FileSensor"},
        }
        path = self.folder / "timeout.json"
        path.write_text(json.dumps({"template": template}))
        absent = f"path={self.folder}/absent"
        task = Task(self.service, self.jaeger, name, "--request", str(path), "--input", absent)
        if name != "timeout":
            self.service.restart()
        task.until("RETRYABLE_FAILED")
        trace = task.has("end", "delete")
        end = only(trace, "end")
        check("timed out" in tags(end).get("otel.status_description", ""), f"the end is {tags(end)}")
        check(seconds <= end["duration"] / 1e6 <= seconds + 2, f"it took {end['duration']} us")
        return trace

    def timeout_after_restart(self) -> dict[str, Any]:
        # Longer than a stop and a start.
        return self.timeout("timeout-after-restart", 8)

    def restart(self) -> dict[str, Any]:
        task, path = self.sensor(self.service, "restart")
        task.until("RUNNING")
        self.service.restart()
        # What the first process had left to tell was sent by its stop.
        before = task.has("create", "first poll", "phase change")
        task.until("RUNNING")
        path.touch()
        task.until("SUCCEEDED")
        after = task.has("end")
        check(after["traceID"] == before["traceID"], "it goes on in another trace")
        check(len(instances(after)) == 2, f"the spans are of {len(instances(after))} processes")
        return after

    def kill(self) -> dict[str, Any]:
        """As `restart`, but what has not been sent yet is lost."""
        task, path = self.sensor(self.service, "kill")
        task.has("create", "first poll", "phase change")
        self.service.restart(signal.SIGKILL)
        path.touch()
        task.until("SUCCEEDED")
        return task.has("end")


STEPS = ["success", "failure", "polls_that_fail", "bad_day", "given_up", "unsampled", "delete", "timeout"]
STEPS += ["restart", "kill", "delete_after_restart", "timeout_after_restart"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", nargs="?", default=REPOSITORY / "target/release/flightdeck", type=Path)
    parser.add_argument("--jaeger", required=True, help="path of Jaeger's binary")
    parser.add_argument("--only", choices=STEPS, action="append", help="only this step (repeatable)")
    parser.add_argument("--save", type=Path, metavar="DIR", help="write each trace as JSON into this folder")
    arguments = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="flightdeck-jaeger-"))
    failed = []
    with Stack(folder) as stack:
        jaeger = Jaeger(stack, arguments.jaeger)
        steps = Steps(stack, jaeger, arguments.binary.resolve())
        for name in arguments.only or STEPS:
            begun = time.monotonic()
            try:
                trace = getattr(steps, name)()
            except Failed as error:
                failed.append(name)
                print(f"FAILED {name}: {error}", flush=True)
                continue
            print(f"ok     {name}: {' > '.join(names(trace))} ({time.monotonic() - begun:.1f} s)", flush=True)
            if arguments.save:
                path = arguments.save / f"{name}.json"
                path.write_text(json.dumps({"data": [trace]}, indent=1) + "\n")
    if failed:
        print(f"{len(failed)} failed; the logs are in {folder}")
        return 1
    shutil.rmtree(folder)
    print(f"every step was found in Jaeger, the slowest after {slowest:.1f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
