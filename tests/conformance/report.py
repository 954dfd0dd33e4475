"""Prints what a run finds."""

from __future__ import annotations

import time
from typing import Any

from client import Fields
from compare import Failure, Score
from rules import Difference

MOST_FIELDS = 8
"""Fields of one case in the report; a call that fails on one side only differs in all of them."""

SHOWN = 600
"""Characters of a value in the report."""


class Report:
    """Prints what is found as it is found."""

    def __init__(self, table: list[Difference]) -> None:
        self.score = Score(table)

    def group(self, name: str, started: float, before: tuple[int, int]) -> None:
        passed, failed = self.score.passed - before[0], self.score.failed - before[1]
        print(f"{name:<12} {passed:4} passed {failed:4} failed  {time.monotonic() - started:5.1f} s", flush=True)

    def compare(self, name: str, flytekit: Fields, ours: Fields) -> None:
        failures = self.score.compare(name, flytekit, ours)
        if failures:
            print(f"FAILED {name}")
        for failure in failures[:MOST_FIELDS]:
            self._failure(failure)
        if len(failures) > MOST_FIELDS:
            print(f"    and {len(failures) - MOST_FIELDS} more: {', '.join(f.name for f in failures[MOST_FIELDS:])}")

    def checked(self, name: str, wrong: list[str], seconds: float) -> None:
        """Something that is not compared but looked at: it is right when nothing is wrong."""
        self.score.cases.append(name)
        self.score.count(not wrong)
        print(f"{'FAILED' if wrong else 'passed'} {name}  {seconds:.1f} s", flush=True)
        for text in wrong:
            print(f"    {shown(text)}")

    def broken(self, name: str, error: BaseException) -> None:
        self.score.cases.append(name)
        self.score.count(False)
        print(f"FAILED {name}: {type(error).__name__}: {shown(str(error))}")

    def _failure(self, failure: Failure) -> None:
        print(f"    {failure.name}")
        print(f"        flytekit:   {shown(failure.flytekit)}")
        print(f"        flightdeck: {shown(failure.ours)}")
        for entry in failure.declared:
            print(f"        not what is declared: {entry.reason}")

    def table(self, strict: bool) -> None:
        """The deliberate differences, and how often each was met."""
        print("\ndeliberate differences, with the number of fields that each explains:")
        for index, entry in enumerate(self.score.table):
            if index in self.score.uses:
                print(f"{self.score.uses[index]:6}  {entry.reason}")
        for entry in self.score.unused():
            if strict:
                self.score.count(False)
            print(f"{'FAILED' if strict else 'unused'}  never met: {entry.reason} ({', '.join(entry.cases)})")


def shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    text = text.replace("\n", "\\n")
    return text if len(text) <= SHOWN else f"{text[: SHOWN // 2]} ... {text[-SHOWN // 2 :]}"
