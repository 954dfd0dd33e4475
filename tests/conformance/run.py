"""Holds Flightdeck against flytekit's service: the same requests to both, everything observed compared.

Reads: differences.py for what may differ, cases_*.py for what is asked.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from fnmatch import fnmatchcase
from pathlib import Path

import cases_backend
import cases_fixtures
import cases_http
import cases_life
import cases_literals
import cases_lookup
import cases_own
import cases_sensor
import cases_stores
import cases_templates
import cases_wire
import ending
import metrics
import services
import stores
from backend import Backend
from case import Case
from client import Client, Fields
from differences import DIFFERENCES
from report import Report

RUN_LIMIT = 400
"""Seconds after which the whole run is given up."""

GROUPS: dict[str, list[Case]] = {
    "fixtures": cases_fixtures.CASES,
    "literals": cases_literals.CASES,
    "templates": cases_templates.CASES,
    "requests": cases_http.CASES,
    "backends": cases_backend.CASES,
    "sensors": cases_sensor.CASES,
    "stores": cases_stores.CASES,
    "own": cases_own.CASES,
    "look-up": cases_lookup.CASES,
    "wire": cases_wire.CASES,
    "life": cases_life.CASES,
}


def make_files(folder: Path) -> Path:
    """What the sensors of cases_sensor.py look at."""
    files = folder / "files"
    (files / "folder").mkdir(parents=True)
    for name in ("there", "a b é 世.txt", "50%25", "a#b", "a?b", "star*"):
        (files / name).touch()
    (files / "link").symlink_to(files / "there")
    (files / "dangling").symlink_to(files / "nowhere")
    return files


def run_group(report: Report, name: str, cases: list[Case], flytekit: Client, ours: Client) -> None:
    started, before = time.monotonic(), (report.score.passed, report.score.failed)
    for case in cases:
        try:
            report.compare(case.name, case.call(flytekit), case.call(ours))
        except Exception as error:  # a case that cannot be carried out is a failure, not the end
            report.broken(case.name, error)
    if cases:
        report.group(name, started, before)


def handovers(flytekit: Client, ours: Client, plain: Client) -> list[tuple[str, Client, Client]]:
    """Who makes a meta and who reads it; the yardstick is flytekit with its own."""
    return [
        ("flytekit-to-flightdeck", flytekit, ours),
        ("flytekit-to-plain", flytekit, plain),
        ("plain-to-flytekit", plain, flytekit),
        ("plain-to-flightdeck", plain, ours),
        ("flightdeck-to-plain", ours, plain),
    ]


def run_handovers(report: Report, only: str, flytekit: Client, ours: Client, plain: Client) -> None:
    started, before = time.monotonic(), (report.score.passed, report.score.failed)
    yardstick: dict[str, Fields] = {}
    for name, maker, reader in handovers(flytekit, ours, plain):
        for kind, call in (("life", cases_life.handover), ("task-type", cases_life.by_task_type)):
            case = f"handover/{name}/{kind}"
            if not fnmatchcase(case, only):
                continue
            try:
                yardstick.setdefault(kind, call(flytekit, flytekit))
                report.compare(case, yardstick[kind], call(maker, reader))
            except Exception as error:
                report.broken(case, error)
    report.group("handover", started, before)


def run_exposition(report: Report, flytekit: Client, ours: Client) -> None:
    """What the metrics say of themselves, after both had the same calls."""
    for path in ("/metrics", "/"):
        report.compare(
            f"metrics{path}",
            metrics.exposition(*flytekit.service.scrape(path)),
            metrics.exposition(*ours.service.scrape(path)),
        )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary", nargs="?", type=Path, default=Path("target/release/flightdeck"))
    parser.add_argument("--only", default="*", metavar="PATTERN", help="only cases whose name matches")
    parser.add_argument(
        "--against-self", action="store_true", help="flytekit in Flightdeck's place: tries the run itself"
    )
    return parser.parse_args()


def start(options: argparse.Namespace, folder: Path, started: list[services.Service]) -> None:
    """Start flytekit, Flightdeck, and a Flightdeck with plain handles. What was started is in the list, also
    when the next one fails, for whoever cleans up."""
    binary = options.binary.resolve()
    started.append(services.flytekit("flytekit", folder))
    if options.against_self:
        started.append(services.flytekit("flightdeck", folder))
        started.append(services.flytekit("flightdeck-plain", folder))
    else:
        started.append(services.flightdeck("flightdeck", binary, folder))
        started.append(services.plain_flightdeck("flightdeck-plain", binary, folder))
    for service in started:
        service.wait()


def run(options: argparse.Namespace, folder: Path, processes: list[services.Service], report: Report) -> None:
    """Ask everything, and write what comes of it into the report."""
    backend, files = Backend(), make_files(folder)
    if stores.stores_are_there():
        stores.make_objects()
    else:
        print("SKIPPED the cases on object stores: they need tests/stores/run before this command")
    flytekit, ours, plain = (Client(process, backend, files) for process in processes)
    for name, cases in GROUPS.items():
        run_group(report, name, [c for c in cases if fnmatchcase(c.name, options.only)], flytekit, ours)
    chosen = [c for c in cases_sensor.PLAIN_CASES if fnmatchcase(c.name, options.only)]
    run_group(report, "plain", chosen, flytekit, plain)
    run_handovers(report, options.only, flytekit, ours, plain)
    if options.only == "*":
        run_exposition(report, flytekit, ours)
    for process in processes:
        if not process.alive():
            report.broken(f"{process.name} is still alive", services.StartError(process.tail()))
    backend.stop()


def main() -> int:
    options = arguments()
    sys.stdout.reconfigure(line_buffering=True)
    if not options.against_self and not os.access(options.binary, os.X_OK):
        print(f"conformance: {options.binary} is no program; build it with `cargo build --release`", file=sys.stderr)
        return 2
    ending.limit(RUN_LIMIT)
    begun = time.monotonic()
    started: list[services.Service] = []
    report, complete = Report(DIFFERENCES), False
    with tempfile.TemporaryDirectory(prefix="flightdeck-conformance-") as folder:
        try:
            start(options, Path(folder), started)
            run(options, Path(folder), started, report)
            complete = True
        except (services.StartError, ending.GivenUp) as error:
            report.broken("the run itself", error)
        finally:
            ending.done()
            for service in started:
                service.stop()
    whole = options.only == "*" and stores.stores_are_there()
    report.table(strict=complete and whole and not options.against_self)
    print(f"\n{time.monotonic() - begun:.0f} s")
    print(f"{report.score.passed} passed, {report.score.failed} failed")
    return 1 if report.score.failed else 0


if __name__ == "__main__":
    sys.exit(main())
