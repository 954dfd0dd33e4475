"""A case: a name and what to ask of a service."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from client import Client, Fields


@dataclass(frozen=True)
class Case:
    """The same call is made to both services; the fields that come back are compared."""

    name: str
    call: Callable[[Client], Fields]
