"""THE TABLE of deliberate differences between a Python connector asked directly and through Flightdeck.

In the words of tests/conformance/rules.py. A difference that no entry explains fails the run, and so does an entry
that explained nothing although its cases ran. Cases are `endpoint/...`, `modules/...`, `plain/...` (the ways in which
Flightdeck is in front of flytekit) and `handover/...`.
"""

from __future__ import annotations

from typing import Any

from rules import Difference, Rule, anything, changes, gone, one_count, ours_says


def without_traceback(flytekit: Any, ours: Any) -> bool:
    """Ours has flytekit's first line and the exception's own text, and no trace."""
    if not flytekit or not ours or "Traceback" in ours:
        return False
    text = exception_text(flytekit)
    return ours.startswith(flytekit.split("\n", 1)[0]) and text[:1000].rstrip() in ours


def exception_text(details: str) -> str:
    """`JobError: the backend refused`, of a text that flytekit's service has made: behind the last line `Message:`
    that is not indented, without the indent and the dot that are put around it."""
    lines = details.rpartition("\nMessage:\n\n")[2].removesuffix(".").split("\n")
    return "\n".join(line.removeprefix("    ") for line in lines)


def says_cause(flytekit: Any, ours: Any) -> bool:
    """Ours is a message: the details of flytekit's error are another field, so only that it is one."""
    return flytekit is None and bool(ours) and "Traceback" not in ours


STILL_RUNNING: dict[str, Rule] = {
    "*code": changes("INTERNAL", "OK"),
    "*details": gone,
    "*phase": changes(None, "RUNNING", "INITIALIZING"),
    "*message": says_cause,
    "*has_outputs": changes(None, False),
    "*rest": changes(None, ""),
}
"""flytekit's Get fails; ours says how the task is, as far as is known, and the cause."""

DIFFERENCES: list[Difference] = [
    Difference(
        ("endpoint/*", "modules/*"),
        {"beside": lambda a, b: a == 0 and 0 < b <= 256},
        'the handle is an envelope around the connector\'s meta; with `handle = "plain"` there is nothing beside it',
    ),
    # failures of a connector
    Difference(
        ("*",),
        {"*details": without_traceback},
        "the connector's own text is handed on, without the traceback around it",
    ),
    Difference(
        ("*/broken/create/long", "*/broken/create/wide"),
        {
            "code": changes("RESOURCE_EXHAUSTED", "INTERNAL"),
            "details": lambda a, b: b.startswith("failed to create team_broken task with error:")
            and ("JobError: xxx" in b or "JobError: 世世世" in b)
            and "Traceback" not in b,
        },
        "a text that is too long for the head of a reply is cut; of flytekit's error the caller gets nothing",
    ),
    Difference(
        ("*/broken/get/long", "*/broken/get/wide"),
        {"get.code": changes("RESOURCE_EXHAUSTED", "OK"), **{f"get.{k}": v for k, v in STILL_RUNNING.items()}},
        "a text that is too long for the head of a reply is cut; of flytekit's error the caller gets nothing",
    ),
    Difference(
        ("*/broken/get/*", "*/sensor/raising"),
        {f"{when}.{k.strip('*')}": rule for when in ("get", "before") for k, rule in STILL_RUNNING.items()},
        "a get or a poke that raises spends none of the caller's errors: the last known phase, and the cause",
    ),
    Difference(
        ("*/broken/get-for-good",),
        {
            "get.code": changes("INTERNAL", "OK"),
            "get.details": gone,
            "get.phase": changes(None, "RETRYABLE_FAILED"),
            "get.message": lambda a, b: a is None and "JobError: the backend refused to get" in b,
            "get.has_outputs": changes(None, False),
            "get.rest": changes(None, ""),
            "backend": lambda a, b: [*a.values()] == [["created"]] and [*b.values()] == [["created", "deleted"]],
        },
        "a get that raises for longer than `persist_for` ends the task with the cause, and its job is deleted",
    ),
    Difference(
        ("*/sensor/unknown-*",),
        {f"get.{k.strip('*')}": rule for k, rule in STILL_RUNNING.items()},
        "a sensor that Python cannot import spends none of the caller's errors: the cause is in the message",
    ),
    Difference(
        ("*/broken/delete",),
        {
            "delete.code": changes("INTERNAL", "UNAVAILABLE"),
            "delete.details": ours_says("JobError: the backend refused to delete"),
        },
        "a delete that raises is an intent that is kept: UNAVAILABLE at first, with the cause, and tried again",
    ),
    Difference(
        ("*/broken/meta/*",),
        {
            **{f"get.{k.strip('*')}": rule for k, rule in STILL_RUNNING.items()},
            "delete.code": changes("INTERNAL", "UNAVAILABLE"),
            "delete.details": ours_says(),
        },
        "what a Python connector's meta looks like only Python knows: its error is told as of any other get",
    ),
    # ends
    Difference(
        ("*/job/life", "*/job/end/*"),
        {"backend": lambda a, b: [*b.values()] == [["created"]]},
        "a job that its backend has reported as ended is not deleted again",
    ),
    Difference(
        ("*/job/deleted", "*/sensor/deleted"),
        {
            "get-after.*": anything,
            "backend": lambda a, b: [*a.values()] == [["created", "deleted", "deleted"]]
            and [*b.values()] == [["created", "deleted"]],
        },
        "a deleted job is not deleted a second time",
    ),
    Difference(
        ("*/job/without-phase",),
        {
            "get.phase": changes("UNDEFINED", "RUNNING", "INITIALIZING"),
            "get.message": ours_says("without a phase"),
            "get.rest": gone,
        },
        "a phase is always set, for propeller reads an unset one as a failure: a get without one is a get that failed",
    ),
    # logs and metrics
    Difference(
        ("*/job/telemetry",),
        {"logs.lines": lambda a, b: a == [] and bool(b)},
        "flytekit drops what a connector's get_logs gives: its stream is empty. The task's history is told instead",
    ),
    Difference(
        ("*/job/no-telemetry",),
        {
            "logs.code": changes("UNKNOWN", "OK"),
            "logs.details": gone,
            "logs.lines": lambda a, b: a is None and bool(b),
            "metrics.code": changes("UNKNOWN", "OK"),
            "metrics.details": gone,
            "metrics.reply": lambda a, b: a is None and bool(b),
        },
        "where a connector has neither logs nor metrics, the task's own are told",
    ),
    Difference(
        ("*/echo/*",),
        {"metric.*input_literal_bytes_sum*": lambda a, b: a - b == 2},
        "an input without a name, or a literal that is not set, takes two bytes less where the inputs' size is reckoned",
    ),
    # single calls
    Difference(
        ("*/echo/repeated",),
        {"same_handle": changes(False, True), "jobs": changes(2, 1)},
        "a repeated Create of one execution attempt starts no second job",
    ),
    Difference(
        ("*/echo/sync-as-async",),
        {
            "code": changes("INTERNAL", "OK"),
            "details": gone,
            "get.*": anything,
            "meta": anything,
            "beside": anything,
            "jobs": changes(0, 1),
            "metric.*": one_count,
        },
        "a Create for a sync type runs it: propeller sends that whenever its list of agents is stale",
    ),
    Difference(
        ("*/echo/async-as-sync",),
        {"code": changes("INTERNAL", "INVALID_ARGUMENT"), "details": ours_says("does not support sync execution")},
        "asking an async type for a sync execution is the caller's fault",
    ),
    Difference(
        ("*/agents/nope",),
        {"code": changes("UNKNOWN", "NOT_FOUND"), "details": ours_says()},
        "an agent that is not there is NOT_FOUND, where flytekit lets an exception through",
    ),
]
