"""Reads the Prometheus text of a service."""

from __future__ import annotations

import re

PREFIX = "flyte_connector_"

_SAMPLE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def values(text: str) -> dict[str, float]:
    """Every series of flytekit's, `name{label="value"}` with the labels by name. Not the `_created` ones,
    which are times, not the sums of latency, and not those that Flightdeck passes on from its Python workers."""
    found = {}
    for line in text.splitlines():
        match = _SAMPLE.match(line)
        if match and match[1].startswith(PREFIX) and not match[1].endswith("_created"):
            if match[1] == f"{PREFIX}request_latency_seconds_sum":
                continue
            labels = dict(_LABEL.findall(match[2] or ""))
            if "worker" not in labels:
                written = ",".join(f'{k}="{v}"' for k, v in sorted(labels.items()))
                found[f"{match[1]}{{{written}}}"] = float(match[3])
    return found


def changes(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """By how much each series moved; one that appeared counts even at 0."""
    return {name: value - before.get(name, 0.0) for name, value in after.items() if value != before.get(name)}


def exposition(content_type: str, text: str) -> dict[str, str]:
    """What is said about flytekit's metrics beside their values: types, help, and the labels of each."""
    fields = {"content_type": content_type}
    labels: dict[str, set[str]] = {}
    for line in text.splitlines():
        if line.startswith("# "):
            _, kind, name, rest = line.split(" ", 3)
            if name.startswith(PREFIX):
                fields[f"{kind.lower()}.{name}"] = rest
        elif match := _SAMPLE.match(line):
            if match[1].startswith(PREFIX):
                labels.setdefault(match[1], set()).add(",".join(sorted(k for k, _ in _LABEL.findall(match[2] or ""))))
    return fields | {f"labels.{name}": " or ".join(sorted(sets)) for name, sets in labels.items()}
