"""The processes that Flightdeck has started, and what their metrics say."""

from __future__ import annotations

import os
import re
import time
from collections import defaultdict
from pathlib import Path

from services import Service

_SAMPLE = re.compile(r"^(\w+)\{(.*)\} (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def processes(service: Service) -> list[int]:
    """The pyflyte processes below a service, by parent; of one that is a wrapper the child counts."""
    parents: dict[int, list[int]] = defaultdict(list)
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            # the name, in brackets, may hold blanks; the parent is the second field behind it
            parents[int((folder / "stat").read_text().rpartition(")")[2].split()[1])].append(int(folder.name))
        except (OSError, IndexError):
            continue
    found, left = [], [service.pid]
    while left:
        children = parents[left.pop()]
        left += children
        found += [pid for pid in children if is_pyflyte(pid)]
    return sorted(found)


def is_pyflyte(pid: int) -> bool:
    """Whether this is a live worker, and not one that has ended and is not reaped."""
    try:
        return b"pyflyte" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


def serving(place_marker: str) -> list[int]:
    """All pyflyte processes with these words in their environment, whoever their parent is."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if is_pyflyte(int(folder.name)) and place_marker.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return sorted(found)


def wait_for(service: Service, count: int, without: set[int], limit: float = 20.0) -> list[int]:
    """The workers, once there are so many beside those that are known."""
    end = time.monotonic() + limit
    while True:
        found = [pid for pid in processes(service) if pid not in without]
        if len(found) >= count or time.monotonic() > end:
            return found
        time.sleep(0.05)


def polls(service: Service) -> dict[str, float]:
    """The Gets that each worker has had of Flightdeck, by the label that names it."""
    counts: dict[str, float] = defaultdict(float)
    for line in service.scrape()[1].splitlines():
        sample = _SAMPLE.match(line)
        if not sample or not sample[1].endswith("requests_success_total"):
            continue
        labels = dict(_LABEL.findall(sample[2]))
        if "worker" in labels and labels.get("operation") == "get":
            counts[f"{labels.get('upstream', '')}/{labels['worker']}"] += float(sample[3])
    return dict(counts)


