"""What Python connectors run on is taken away while propeller asks for every task every second: a worker is killed or
hangs, a service elsewhere is stopped, Flightdeck itself is killed. No Get fails, no task is lost, none is doubled."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

from flyteidl.admin import agent_pb2
from flyteidl.core.execution_pb2 import TaskExecution
from google.protobuf import text_format

import workers
from cases_echo import EXECUTION
from deployments import Deployments, Pace, upstream
from propeller import Propeller, Task
from report import Report
from services import Service, free_port
from team import file_request, job_request, template

MANY = 1000
SOME = 200

END_LIMIT = 60.0
"""Seconds in which all tasks must be told SUCCEEDED once what they wait for is there."""

SCENE_LIMIT = 120.0
"""Seconds after which a scene is given up."""

PACE = Pace(first=("1s", "2s", "4s"), interval="5s", persist_for="60s")
"""Flightdeck's own schedule but for its long pause."""


TRICKLE = 0.25
"""Seconds between two Creates while something is away."""


class Scene:
    """Tasks, the caller that asks for them, and what is found wrong."""

    def __init__(self, place: Deployments, propeller: Propeller) -> None:
        self.place, self.propeller = place, propeller
        self.wrong: list[str] = []
        self._jobs = self._executed = 0

    def check(self, good: bool, otherwise: str) -> None:
        if not good:
            self.wrong.append(otherwise)

    def ready(self) -> Path:
        """The file that sensors wait for."""
        return self.place.files / "ready"

    async def create(self, sensors: int, jobs: int) -> None:
        """Sensors and jobs, and the first reply for each."""
        await self.propeller.create_all([file_request(self.ready())] * sensors + self.jobs(jobs))
        self.check(not self.propeller.failed_creates, f"failed Creates: {most(self.propeller.failed_creates)}")
        running = await self.propeller.until(TaskExecution.RUNNING, END_LIMIT)
        self.check(running, f"not all are RUNNING: {self.propeller.phases()}")

    def jobs(self, count: int) -> list[agent_pb2.CreateTaskRequest]:
        """Creates of jobs, each an execution attempt of its own."""
        made = []
        for _ in range(count):
            self._jobs += 1
            request = job_request(f"job-{self._jobs}")
            request.output_prefix = f"s3://bucket/metadata/f/n{self._jobs}/data/0"
            text_format.Parse(EXECUTION % f"f{self._jobs}", request.task_execution_metadata)
            made.append(request)
        return made

    async def trickle(self, seconds: float) -> None:
        """Creates and single calls while something is away."""
        calls = []
        for _ in range(int(seconds / TRICKLE)):
            self._executed += 1
            made = template("team_sync_echo", {"job": f"sync-{self._executed}"})
            calls += [asyncio.create_task(self.propeller.create(request)) for request in self.jobs(1)]
            calls += [asyncio.create_task(self.propeller.execute(made))]
            await asyncio.sleep(TRICKLE)
        await asyncio.gather(*calls)

    async def finish(self) -> None:
        """What all wait for comes true."""
        self.ready().touch()
        for number in range(1, self._jobs + 1):
            (self.place.jobs / f"job-{number}.stage").write_text("SUCCEEDED")
        await self.propeller.until(TaskExecution.SUCCEEDED, END_LIMIT)
        phases = self.propeller.phases()
        self.check(set(phases) == {"SUCCEEDED"}, f"not all SUCCEEDED: {phases}")

    def verdict(self, creates_may_fail: bool = False) -> None:
        """What must hold in every scene."""
        told = self.propeller
        self.check(not told.failed_gets, f"failed Gets: {most(told.failed_gets)}")
        self.check(not told.failed_lists, f"bad lists: {most(told.failed_lists)}")
        if not creates_may_fail:
            self.check(not told.failed_creates, f"failed Creates: {most(told.failed_creates)}")
        doubled = [*self.place.jobs.glob("job-*.2"), *self.place.jobs.glob("sync-*.2")]
        self.check(not doubled, f"{len(doubled)} jobs were created twice")
        lost = [n for n in range(1, self._jobs + 1) if not (self.place.jobs / f"job-{n}.1").exists()]
        self.check(creates_may_fail or not lost, f"{len(lost)} jobs were never created")

    async def while_asking(self, *others: Awaitable[object]) -> None:
        """Go on asking for every task until the rest is done."""
        rest = asyncio.gather(*others)
        while not rest.done():
            await self.propeller.round()
        await rest


def most(texts: list[str]) -> str:
    """The most frequent of these, each with its number."""
    return ", ".join(f"{count} times {text!r}" for text, count in Counter(texts).most_common(3))


async def away(scene: Scene, service: Service, known: set[int]) -> list[int]:
    """Wait for a worker in the place of one that is gone, and let it have a few polls."""
    found = await asyncio.to_thread(workers.wait_for, service, 1, known)
    scene.check(bool(found), "no worker came in the place of the one that is gone")
    return found


async def after(ended: set[int], call: Awaitable[None]) -> None:
    """Once these are buried, so that their end is known. What becomes of a Create that is under way when its worker is
    killed nobody knows: it fails."""
    await asyncio.to_thread(workers.wait_buried, ended)
    await call


async def worker_killed(scene: Scene, service: Service) -> None:
    """SIGKILL, twice."""
    await scene.create(MANY, 20)
    for _ in range(2):
        known = set(workers.processes(service))
        scene.check(len(known) == 1, f"workers: {known}")
        for pid in known:
            os.kill(pid, signal.SIGKILL)
        await scene.while_asking(away(scene, service, known), after(known, scene.trickle(3)))
    await scene.finish()
    scene.verdict()


async def worker_hangs(scene: Scene, service: Service) -> None:
    """SIGSTOP of one of two. A Create that had gone to it may fail, because nobody knows what became of it."""
    await scene.create(SOME, 20)
    known = set(workers.processes(service))
    scene.check(len(known) == 2, f"workers: {known}")
    stopped = min(known, default=0)
    if stopped:
        os.kill(stopped, signal.SIGSTOP)
    await scene.while_asking(away(scene, service, known), scene.trickle(3))
    scene.check(not workers.is_worker(stopped), "the worker that hangs was not killed")
    await scene.finish()
    scene.verdict(creates_may_fail=True)


async def endpoint_restarted(scene: Scene, service: Service) -> None:
    """A service that runs elsewhere is stopped for a few seconds."""
    await scene.create(SOME, 20)
    elsewhere = scene.place.started[0]

    async def restart() -> None:
        elsewhere.stop()
        await asyncio.sleep(3)
        again = await asyncio.to_thread(scene.place.flytekit, "elsewhere-again", elsewhere.port)
        await asyncio.to_thread(again.wait)

    await scene.while_asking(restart(), scene.trickle(5))
    await scene.finish()
    scene.verdict()


async def endpoint_late(scene: Scene, service: Service) -> None:
    """A service that runs elsewhere is not there yet when Flightdeck starts; what flytekit has made is asked for."""
    job = "job-9999"
    made = scene.place.jobs / f"{job}.1"
    made.write_text("created\n")
    (scene.place.jobs / f"{job}.stage").write_text("RUNNING")
    meta = b'{"job": "%s.1", "console": "https://jobs.example.com"}' % job.encode()
    early = Task(meta, "team_job")
    await scene.propeller.get(early)
    scene.check(early.phase == TaskExecution.RUNNING, f"a task of a service that is not there yet is {early.phase}")
    port = int(re.search(r"127\.0\.0\.1:(\d+)", service_config(scene, service))[1])

    async def appear() -> None:
        await asyncio.sleep(1)
        await asyncio.to_thread(scene.place.flytekit("elsewhere", port).wait)

    await asyncio.gather(appear(), scene.trickle(2))
    (scene.place.jobs / f"{job}.stage").write_text("SUCCEEDED")
    scene.propeller.tasks.append(early)
    await scene.finish()
    scene.verdict()


def service_config(scene: Scene, service: Service) -> str:
    return (scene.place.folder / f"{service.name}.toml").read_text()


async def flightdeck_killed(scene: Scene, service: Service) -> None:
    """SIGKILL of Flightdeck itself, which is started again on its port. Its workers must not outlive it."""
    await scene.create(SOME, 20)
    os.kill(service.pid, signal.SIGKILL)
    await back(scene, service)


async def all_killed(scene: Scene, service: Service) -> None:
    """The same of every process of its program at once, as `killall -9 flightdeck` does it."""
    await scene.create(SOME, 20)
    pids = workers.same_program(service)
    for number in (signal.SIGSTOP, signal.SIGKILL):  # none has time to see that another is gone
        for pid in pids:
            os.kill(pid, number)
    await back(scene, service)


async def back(scene: Scene, service: Service) -> None:
    """No worker is left of a Flightdeck that was killed; then it is started again."""
    service.channel.close()
    end = time.monotonic() + 10
    while (left := workers.left_behind(str(scene.place.jobs))) and time.monotonic() < end:
        await asyncio.sleep(0.05)
    scene.check(not left, f"workers outlive Flightdeck: {left}")
    config = service_config(scene, service).partition("\n[admin]")[0]
    again = scene.place.flightdeck("again", config, port=service.port, variables={})
    await asyncio.to_thread(again.wait)
    await scene.propeller.rounds(2)
    await scene.finish()
    scene.verdict()


async def spread(scene: Scene, service: Service) -> None:
    """Two workers share the polls."""
    await scene.create(SOME, 20)
    await scene.propeller.rounds(3)
    counts = workers.polls(service)
    scene.check(len(counts) == 2, f"polls by worker: {counts}")
    total = sum(counts.values())
    scene.check(all(count >= total / 4 for count in counts.values()), f"polls by worker: {counts}")
    await scene.finish()
    scene.verdict()


Fault = tuple[Callable[[Scene, Service], Awaitable[None]], Callable[[Deployments], Service]]


def in_front_of_endpoint(place: Deployments) -> Service:
    elsewhere = place.flytekit("elsewhere")
    elsewhere.wait()
    return place.endpoint("endpoint", PACE, elsewhere)


def in_front_of_nothing(place: Deployments) -> Service:
    return place.flightdeck("late", PACE.config() + upstream(endpoint=f"http://127.0.0.1:{free_port()}"))


FAULTS: dict[str, Fault] = {
    "worker-killed": (worker_killed, lambda place: place.command("killed", PACE, workers=1)),
    "worker-hangs": (worker_hangs, lambda place: place.command("hangs", PACE, workers=2, hang_timeout="2s")),
    "endpoint-restarted": (endpoint_restarted, in_front_of_endpoint),
    "endpoint-late": (endpoint_late, in_front_of_nothing),
    "flightdeck-killed": (flightdeck_killed, lambda place: place.command("front", PACE, workers=2)),
    "all-killed": (all_killed, lambda place: place.command("all", PACE, workers=2)),
    "spread": (spread, lambda place: place.command("spread", PACE, workers=2)),
}


def run(report: Report, name: str, fault: Fault, place: Deployments) -> None:
    """One scene from start to end."""
    begun = time.monotonic()
    play, start = fault
    try:
        service = start(place)
        service.wait()
        wrong = asyncio.run(asyncio.wait_for(played(play, place, service), SCENE_LIMIT))
    except Exception as error:  # a scene that cannot be played is a failure, not the end
        report.broken(f"fault/{name}", error)
        return
    report.checked(f"fault/{name}", wrong, time.monotonic() - begun)


async def played(play: Callable[[Scene, Service], Awaitable[None]], place: Deployments, service: Service) -> list[str]:
    async with Propeller(service.port) as propeller:
        scene = Scene(place, propeller)
        await play(scene, service)
        print(
            f"    {propeller.gets} Gets, the slowest {propeller.slowest_get:.2f} s; {len(propeller.tasks)} Creates, "
            f"the slowest {propeller.slowest_create:.2f} s"
        )
        for message, count in propeller.messages.most_common(3):
            print(f"    {count:6} times: {message!r}")
        return scene.wrong
