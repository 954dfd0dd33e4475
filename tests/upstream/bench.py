"""How fast Python sensors are behind Flightdeck, and how fast alone, asked by the same client.

The client is Python too, and on a small machine it is the bottleneck: of the services only their processor time is
told by these numbers, and a rate only where it is below the client's own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import re
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "conformance"))

import workers  # noqa: E402
from deployments import Deployments, Pace  # noqa: E402
from flyteidl.core.execution_pb2 import TaskExecution  # noqa: E402
from propeller import Propeller, Task  # noqa: E402
from services import Service  # noqa: E402
from team import file_request  # noqa: E402

CALLERS = 16

TICKS = os.sysconf("SC_CLK_TCK")


def cpu(pids: list[int]) -> float:
    """Seconds of processor time that these processes have used."""
    total = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        total += int(fields[11]) + int(fields[12])
    return total / TICKS


async def ask(propeller: Propeller, seconds: float) -> list[float]:
    """How long each Get took."""
    took: list[float] = []
    end = time.monotonic() + seconds

    async def caller(tasks: list[Task]) -> None:
        while True:
            for task in tasks:
                begun = time.monotonic()
                if begun > end:
                    return
                await propeller.get(task)
                took.append(time.monotonic() - begun)

    await asyncio.gather(*(caller(propeller.tasks[begin::CALLERS]) for begin in range(CALLERS)))
    return took


async def gets(name: str, service: Service, place: Deployments, sensors: int, seconds: float) -> None:
    async with Propeller(service.port) as propeller:
        await propeller.create_all([file_request(place.files / "never")] * sensors)
        await propeller.until(TaskExecution.RUNNING, 30)
        python = workers.processes(service)
        before, before_python = cpu([service.pid]), cpu(python)
        took = sorted(await ask(propeller, seconds))
        used, used_python = cpu([service.pid]) - before, cpu(python) - before_python
        print(
            f"{name:<28} {len(took) / seconds:7.0f} Gets/s   p50 {took[len(took) // 2] * 1e3:6.2f} ms   "
            f"p99 {took[len(took) * 99 // 100] * 1e3:6.2f} ms   {used / len(took) * 1e6:6.0f} us of CPU a Get"
            + (f"   workers {used_python / seconds:4.2f} cores" if python else "")
            + (f"   {len(propeller.failed_gets)} failed" if propeller.failed_gets else "")
        )


async def polls(count: int, service: Service, place: Deployments, sensors: int, seconds: float) -> None:
    async with Propeller(service.port) as propeller:
        await propeller.create_all([file_request(place.files / "never")] * sensors)
        await asyncio.sleep(3)
        python = workers.processes(service)
        before, done, late = cpu(python), sample(service, "polls_total"), lateness(service)
        await asyncio.sleep(seconds)
        used, made = cpu(python) - before, sample(service, "polls_total") - done
        sums = [now - then for now, then in zip(lateness(service), late)]
        print(
            f"{count} worker{'s' if count > 1 else ' '}: {made / seconds:6.0f} polls/s of {sensors} wanted   "
            f"{used / made * 1e6 if made else 0:5.0f} us of a worker's CPU a poll   "
            f"late by {sums[0] / sums[1] * 1e3 if sums[1] else 0:6.1f} ms on average"
        )


def sample(service: Service, suffix: str) -> float:
    """The sum of one of Flightdeck's own series over its labels."""
    pattern = re.compile(rf"^flightdeck_{suffix}(?:\{{.*\}})? (\S+)$", re.MULTILINE)
    return sum(float(value) for value in pattern.findall(service.scrape()[1]))


def lateness(service: Service) -> tuple[float, float]:
    return sample(service, "poll_lateness_seconds_sum"), sample(service, "poll_lateness_seconds_count")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", nargs="?", type=Path, default=Path("target/release/flightdeck"))
    parser.add_argument("--sensors", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10.0)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="flightdeck-bench-") as folder:
        place = Deployments(options.binary.resolve(), Path(folder))
        once_a_second = Pace(first=("1s",), interval="1s")
        try:
            direct = place.flytekit("flytekit")
            direct.wait()
            asyncio.run(gets("flytekit", direct, place, options.sensors, options.seconds))
            place.stop()
            front = place.command("front", Pace(first=("1s", "2s", "4s"), interval="10s"), workers=1)
            front.wait()
            asyncio.run(gets("flytekit behind Flightdeck", front, place, options.sensors, options.seconds))
            place.stop()
            for count in (1, 2):
                polled = place.command(f"polled-{count}", once_a_second, workers=count)
                polled.wait()
                asyncio.run(polls(count, polled, place, options.sensors, options.seconds))
                place.stop()
        finally:
            place.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
