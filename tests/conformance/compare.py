"""Compares the fields of two outcomes and keeps the score."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from client import Fields
from rules import Difference


@dataclass
class Failure:
    """A field that differs and should not."""

    name: str
    flytekit: Any
    ours: Any
    declared: list[Difference]
    """Entries of the table that are about this field, but not about this difference."""


@dataclass
class Score:
    """What was found so far."""

    table: list[Difference]
    """What may differ."""
    passed: int = 0
    failed: int = 0
    cases: list[str] = field(default_factory=list)
    uses: dict[int, int] = field(default_factory=dict)
    """Entry of the table -> how often it explained a difference."""

    def compare(self, case: str, flytekit: Fields, ours: Fields) -> list[Failure]:
        """Count the case, and return what is wrong with it."""
        self.cases.append(case)
        failures = []
        for name in sorted(flytekit.keys() | ours.keys()):
            theirs, mine = flytekit.get(name), ours.get(name)
            if theirs != mine:
                about = [(i, d) for i, d in enumerate(self.table) if d.about(case, name)]
                explained = [i for i, d in about if d.holds(name, theirs, mine)]
                for index in explained[:1]:
                    self.uses[index] = self.uses.get(index, 0) + 1
                if not explained:
                    failures.append(Failure(name, theirs, mine, [d for _, d in about]))
        self.count(not failures)
        return failures

    def count(self, good: bool) -> None:
        if good:
            self.passed += 1
        else:
            self.failed += 1

    def unused(self) -> list[Difference]:
        """Entries that explained nothing although a case that they are about ran."""
        return [
            d for i, d in enumerate(self.table) if i not in self.uses and any(d.concerns(case) for case in self.cases)
        ]
