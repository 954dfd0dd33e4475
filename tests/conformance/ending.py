"""Ends a run that takes too long, or that is told to end."""

from __future__ import annotations

import signal


class GivenUp(BaseException):
    """The run took too long, or was told to end. Not an Exception, so that no case takes it for its own."""


def give_up(signum: int, frame: object) -> None:
    raise GivenUp(f"the run was ended by {signal.Signals(signum).name}")


def limit(seconds: int) -> None:
    """From now on a signal ends the run through GivenUp, and so does the time."""
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, give_up)
    signal.alarm(seconds)


def done() -> None:
    """The time does not matter any more."""
    signal.alarm(0)
