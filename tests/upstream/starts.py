"""How Flightdeck starts and stops with workers: what an operator sees when they cannot be started, and that none is
left."""

from __future__ import annotations

import time
from collections.abc import Callable

import workers
from deployments import WORKER, Deployments, Pace, upstream
from report import Report
from services import Service, StartError

END_LIMIT = 20.0
"""Seconds until a process has ended."""


def ended(service: Service) -> int | None:
    """Its status, or None if it goes on."""
    end = time.monotonic() + END_LIMIT
    while service.alive() and time.monotonic() < end:
        time.sleep(0.05)
    return service.status()


def refuses(place: Deployments, name: str, config: str, *flags: str, says: tuple[str, ...]) -> list[str]:
    """A start that must fail, with these words."""
    service = place.flightdeck(name, config, *flags)
    status, said = ended(service), service.tail()
    wrong = [f"its words lack {word!r}: {said[-600:]}" for word in says if word not in said]
    if status in (None, 0):
        wrong.append(f"its status is {status}")
    service.stop()
    return wrong + left(place)


def left(place: Deployments) -> list[str]:
    """Workers that nobody has stopped."""
    end = time.monotonic() + END_LIMIT
    while (pids := workers.left_behind(str(place.jobs))) and time.monotonic() < end:
        time.sleep(0.05)
    return [f"workers are left: {pids}"] if pids else []


def missing_module(place: Deployments) -> list[str]:
    says = ("no_such_module", "ModuleNotFoundError")
    return refuses(place, "missing-module", Pace().config(), "--modules", "no_such_module", says=says)


def broken_module(place: Deployments) -> list[str]:
    """A module that raises while it is imported."""
    (place.folder / "cwd" / "broken_module.py").write_text('raise RuntimeError("the team forgot its settings")\n')
    says = ("RuntimeError: the team forgot its settings",)
    return refuses(place, "broken-module", Pace().config(), "--modules", "broken_module", says=says)


def missing_program(place: Deployments) -> list[str]:
    config = Pace().config() + upstream(command=["no-such-pyflyte", *WORKER[1:]])
    return refuses(place, "missing-program", config, says=("no-such-pyflyte",))


def in_working_folder(place: Deployments) -> list[str]:
    """Modules are found in the folder in which Flightdeck is started."""
    (place.folder / "cwd" / "here.py").write_text("from flytekit import task\n")
    service = place.flightdeck("in-working-folder", Pace().config(), "--modules", "here", variables={})
    service.wait()
    service.stop()
    return []


def stopped(place: Deployments) -> list[str]:
    """SIGTERM: its workers end with it, and its status is 0."""
    service = place.command("stopped", Pace(), workers=2)
    service.wait()
    wrong = [] if len(workers.processes(service)) == 2 else [f"workers: {workers.processes(service)}"]
    service.terminate()
    status = ended(service)
    return wrong + ([] if status == 0 else [f"its status is {status}"]) + left(place)


Start = Callable[[Deployments], list[str]]

STARTS: dict[str, Start] = {
    "missing-module": missing_module,
    "broken-module": broken_module,
    "missing-program": missing_program,
    "in-working-folder": in_working_folder,
    "stopped": stopped,
}


def run(report: Report, name: str, check: Start, place: Deployments) -> None:
    """One of them, and how long it took."""
    begun = time.monotonic()
    try:
        wrong = check(place)
    except StartError as error:
        wrong = [str(error)]
    report.checked(f"start/{name}", wrong, time.monotonic() - begun)
