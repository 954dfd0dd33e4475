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
    """The Python processes below a service, whatever there is between."""
    return [pid for pid in below(service) if is_worker(pid)]


def same_program(service: Service) -> list[int]:
    """The service, and all below it that is the same program."""
    program = command(service.pid)[0]
    return [service.pid, *(pid for pid in below(service) if Path(command(pid)[0]).name == Path(program).name)]


def below(service: Service) -> list[int]:
    """The processes that a service has started, and what these have."""
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
        found += children
    return sorted(found)


def command(pid: int) -> list[str]:
    """Its command; an empty word of one that has ended, reaped or not."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return [""]


def is_worker(pid: int) -> bool:
    """Whether this is a live worker, and not what guards one."""
    program, *rest = command(pid)
    return "python" in Path(program).name and any(word.endswith("pyflyte") for word in rest)


def left_behind(marker: str) -> list[int]:
    """All processes about pyflyte with these words in their environment, whoever their parent is."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            about = any(word.endswith("pyflyte") for word in command(int(folder.name)))
            if about and marker.encode() in (folder / "environ").read_bytes():
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


def wait_buried(pids: set[int], limit: float = 10.0) -> None:
    """Until their parents have asked for their status."""
    end = time.monotonic() + limit
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < end:
        time.sleep(0.01)


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


