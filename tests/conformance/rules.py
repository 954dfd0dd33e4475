"""What may differ, and how: the words that the table in differences.py is written in."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import unquote

Rule = Callable[[Any, Any], bool]
"""Whether flytekit's value (first) and ours (second) may stand side by side. None: the field is not there."""


@dataclass(frozen=True)
class Difference:
    cases: tuple[str, ...]
    fields: dict[str, Rule]
    reason: str

    def concerns(self, case: str) -> bool:
        return any(fnmatchcase(case, pattern) for pattern in self.cases)

    def about(self, case: str, field: str) -> bool:
        return self.concerns(case) and any(fnmatchcase(field, pattern) for pattern in self.fields)

    def holds(self, field: str, flytekit: Any, ours: Any) -> bool:
        return any(fnmatchcase(field, pattern) and rule(flytekit, ours) for pattern, rule in self.fields.items())


def changes(flytekit: Any, *ours: Any) -> Rule:
    return lambda a, b: a == flytekit and b in ours


def ours_says(*words: str) -> Rule:
    """Ours is a text with these words; never a traceback."""
    return lambda a, b: bool(b) and "Traceback" not in b and all(word in b for word in words)


def flytekit_says(pattern: str) -> Rule:
    """flytekit's text is one of these; ours is another that says something."""
    return lambda a, b: re.search(pattern, a or "", re.DOTALL) is not None and ours_says()(a, b)


def changes_to(pattern: str) -> Rule:
    return lambda a, b: re.fullmatch(pattern, b or "") is not None


def says_offloaded(flytekit: Any, ours: Any) -> bool:
    """Texts about the same offloaded literal, or the length of one."""
    return str(ours).isdigit() or "Offloaded" in str(ours) and "s3" in str(ours)


def anything(flytekit: Any, ours: Any) -> bool:
    return True


def gone(flytekit: Any, ours: Any) -> bool:
    """flytekit has it, we have not."""
    return not ours


def one_count(flytekit: Any, ours: Any) -> bool:
    """A call that is counted in one series there and in another here."""
    return {flytekit, ours} <= {None, 0.0, 1.0}


def same_unquoted(flytekit: Any, ours: Any) -> bool:
    """The same target for a server, which undoes percent-encoding."""
    return bool(ours) and unquote(flytekit or "") == unquote(ours)


def enveloped(flytekit: Any, ours: Any) -> bool:
    """Ours has flytekit's meta in it, and little more."""
    return bool(flytekit) and bool(ours) and flytekit in ours and len(ours) <= len(flytekit) + 256
