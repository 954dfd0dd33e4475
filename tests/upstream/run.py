"""Holds Python connectors behind Flightdeck against the same connectors asked directly, then takes away what they run
on. Reads: table.py for what may differ, cases_*.py for what is asked, faults.py for what is broken.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from fnmatch import fnmatchcase
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.append(str(HERE.parent / "conformance"))

import cases_agents  # noqa: E402
import cases_echo  # noqa: E402
import cases_handover  # noqa: E402
import cases_job  # noqa: E402
import cases_sensors  # noqa: E402
import ending  # noqa: E402
import faults  # noqa: E402
import natives  # noqa: E402
import starts  # noqa: E402
from backend import Backend  # noqa: E402
from client import Client, Fields  # noqa: E402
from deployments import Deployments, Pace  # noqa: E402
from report import Report  # noqa: E402
from services import Service, StartError  # noqa: E402
from table import DIFFERENCES  # noqa: E402
from team import Team  # noqa: E402

RUN_LIMIT = 600
"""Seconds after which the whole run is given up."""

GROUPS = {
    "jobs": cases_job.CASES,
    "echo": cases_echo.CASES,
    "sensors": cases_sensors.CASES,
    "agents": cases_agents.CASES,
}

WAYS = ["endpoint", "modules", "plain"]
"""How Flightdeck is in front of flytekit."""

BEHIND = "behind-endpoint"
"""The service that Flightdeck's endpoint is."""


def start(place: Deployments, ways: list[str], against_self: bool) -> dict[str, Service]:
    """flytekit, and Flightdeck in each of these ways."""
    services = {"flytekit": place.flytekit("flytekit"), BEHIND: place.flytekit(BEHIND)}
    starts: dict[str, Callable[[], Service]] = {
        "endpoint": lambda: place.endpoint("endpoint", Pace(), services[BEHIND]),
        "modules": lambda: place.modules("modules", Pace()),
        "plain": lambda: place.command("plain", Pace(), handle="plain"),
    }
    for way in ways:
        services[way] = place.flytekit(way) if against_self else starts[way]()
    for service in place.started:
        service.wait()
    return services


def attempt(call: Callable[[Team], Fields], team: Team) -> Fields | Exception:
    try:
        return call(team)
    except Exception as error:  # a case that cannot be carried out is a failure, not the end
        return error


def run_group(report: Report, cases: dict[str, Callable[[Team], Fields]], name: str, teams: dict[str, Team]) -> None:
    """Ask everybody at once, since much of a case is waiting for a poll."""
    started, before = time.monotonic(), (report.score.passed, report.score.failed)
    with ThreadPoolExecutor(len(teams)) as pool:
        for case, call in cases.items():
            outcomes = dict(zip(teams, pool.map(lambda team, call=call: attempt(call, team), teams.values())))
            for way, outcome in outcomes.items():
                if way != "flytekit":
                    compare(report, f"{way}/{case}", outcomes["flytekit"], outcome)
    if cases:
        report.group(name, started, before)


def compare(report: Report, case: str, flytekit: Fields | Exception, ours: Fields | Exception) -> None:
    for outcome in (flytekit, ours):
        if isinstance(outcome, Exception):
            report.broken(case, outcome)
            return
    report.compare(case, flytekit, ours)


HANDOVERS = (
    ("flytekit", "endpoint"),
    ("flytekit", "modules"),
    ("flytekit", "plain"),
    ("plain", "flytekit"),
    ("plain", "modules"),
    ("modules", "plain"),
)
"""Who makes a task, and who is asked about it then."""


def run_handovers(report: Report, options: argparse.Namespace, teams: Callable[[], dict[str, Team]]) -> None:
    pairs = [pair for pair in HANDOVERS if {*pair} <= {"flytekit", *options.ways}]
    started, before = time.monotonic(), (report.score.passed, report.score.failed)
    for name, call in cases_handover.CASES.items():
        chosen = [pair for pair in pairs if fnmatchcase(f"handover/{pair[0]}-to-{pair[1]}/{name}", options.only)]
        if not chosen:
            continue

        def across(pair: tuple[str, str], call: Callable[[Team, Team], Fields] = call) -> Fields | Exception:
            named = teams()
            return attempt(lambda maker: call(maker, named[pair[1]]), named[pair[0]])

        with ThreadPoolExecutor(len(chosen) + 1) as pool:
            yardstick, *outcomes = pool.map(across, [("flytekit", "flytekit"), *chosen])
        for pair, outcome in zip(chosen, outcomes):
            compare(report, f"handover/{pair[0]}-to-{pair[1]}/{name}", yardstick, outcome)
    if report.score.passed + report.score.failed > sum(before):
        report.group("handover", started, before)


def conformance(report: Report, place: Deployments, options: argparse.Namespace) -> None:
    services, backend = start(place, options.ways, options.against_self), Backend()
    clients = {name: Client(service, backend, place.files) for name, service in services.items()}

    def teams() -> dict[str, Team]:
        return {name: Team(services[name], client, place) for name, client in clients.items()}

    for name, cases in GROUPS.items():
        asked = {way: team for way, team in teams().items() if way != BEHIND}
        run_group(report, {case: call for case, call in cases.items() if chosen(case, options)}, name, asked)
    run_handovers(report, options, teams)
    if not options.against_self and "endpoint" in options.ways and fnmatchcase("natives", options.only):
        report.checked("natives", natives.wrong(teams()["endpoint"], services[BEHIND], place), 0)
    for service in place.started:
        if not service.alive():
            report.broken(f"{service.name} is still alive", StartError(service.tail()))
    backend.stop()


def chosen(case: str, options: argparse.Namespace) -> bool:
    """A case that is chosen for one way is asked in all."""
    return any(fnmatchcase(f"{way}/{case}", options.only) for way in options.ways)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", nargs="?", type=Path, default=Path("target/release/flightdeck"))
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only cases whose name matches")
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=WAYS, help="only these ways of being in front")
    parser.add_argument("--against-self", action="store_true", help="flytekit in Flightdeck's place: tries the run")
    return parser.parse_args()


def main() -> int:
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    if not options.against_self and not os.access(options.binary, os.X_OK):
        print(f"upstream: {options.binary} is no program; build it with `cargo build --release`", file=sys.stderr)
        return 2
    ending.limit(RUN_LIMIT)
    begun, report, complete = time.monotonic(), Report(DIFFERENCES), False
    places: list[Deployments] = []

    def new_place(name: str) -> Deployments:
        (folder / name).mkdir()
        places.append(Deployments(options.binary.resolve(), folder / name))
        return places[-1]

    with tempfile.TemporaryDirectory(prefix="flightdeck-upstream-") as temporary:
        folder = Path(temporary)
        try:
            if not options.only.startswith(("fault/", "start/")):
                conformance(report, new_place("conformance"), options)
                places[0].stop()
            for name, start_or_stop in starts.STARTS.items():
                if fnmatchcase(f"start/{name}", options.only) and not options.against_self:
                    starts.run(report, name, start_or_stop, new_place(name))
                    places[-1].stop()
            for name, fault in faults.FAULTS.items():
                if fnmatchcase(f"fault/{name}", options.only) and not options.against_self:
                    faults.run(report, name, fault, new_place(name))
                    places[-1].stop()
            complete = True
        except (StartError, ending.GivenUp) as error:
            report.broken("the run itself", error)
        finally:
            ending.done()
            for place in places:
                place.stop()
    report.table(strict=complete and options.only == "*" and options.ways == WAYS and not options.against_self)
    print(f"\n{time.monotonic() - begun:.0f} s")
    print(f"{report.score.passed} passed, {report.score.failed} failed")
    return 1 if report.score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
