"""THE TABLE of deliberate differences between Flightdeck and flytekit's service.

Each entry names the cases and the fields it is about, what may differ there and how, and why. A difference that
no entry explains fails the run, and so does an entry that explained nothing although its cases ran: the table
stays true. Fields are those of client.py; names of cases and fields are shell patterns.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Callable
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

    def holds(self, case_field: str, flytekit: Any, ours: Any) -> bool:
        return any(fnmatchcase(case_field, pattern) and rule(flytekit, ours) for pattern, rule in self.fields.items())


def changes(flytekit: Any, *ours: Any) -> Rule:
    return lambda a, b: a == flytekit and b in ours


def ours_says(*words: str) -> Rule:
    """Ours is a text with these words; never a traceback."""
    return lambda a, b: bool(b) and "Traceback" not in b and all(word in b for word in words)


def flytekit_says(pattern: str) -> Rule:
    """flytekit's text is one of these; ours is another that says something."""
    return lambda a, b: re.search(pattern, a or "", re.DOTALL) is not None and ours_says()(a, b)


def anything(flytekit: Any, ours: Any) -> bool:
    return True


def gone(flytekit: Any, ours: Any) -> bool:
    """flytekit has it, we have not."""
    return not ours


def one_count(flytekit: Any, ours: Any) -> bool:
    """A call that is counted in one series there and in another here."""
    return {flytekit, ours} <= {None, 0.0, 1.0}


def without_traceback(flytekit: Any, ours: Any) -> bool:
    """The first line is flytekit's; what follows is the cause."""
    first, _, _ = (flytekit or "").partition("\n")
    return first.endswith("task with error:") and ours_says(first + "\n")(flytekit, ours)


def enveloped(flytekit: Any, ours: Any) -> bool:
    """Ours has flytekit's meta in it, and little more."""
    return bool(flytekit) and bool(ours) and flytekit in ours and len(ours) <= len(flytekit) + 256


def same_unquoted(flytekit: Any, ours: Any) -> bool:
    """The same target for a server that undoes percent-encoding and takes a backslash for a slash."""
    return unquote(flytekit or "").replace("\\", "/") == unquote(ours or "").replace("\\", "/")


REFUSED: dict[str, Rule] = {
    "code": changes("OK", "INVALID_ARGUMENT"),
    "details": ours_says(),
    "resource_meta": gone,
    "get.*": gone,
    "metric.*": one_count,
    "http.*": anything,
}
"""flytekit takes it, Flightdeck says what is wrong with it."""

CALLERS_FAULT: dict[str, Rule] = {"code": changes("INTERNAL", "INVALID_ARGUMENT"), "details": ours_says()}
"""Both refuse it; Flightdeck says that it is the request, not the service."""

PYTHON_SAYS = "|".join(
    (
        r"^argument of type '\w+' is not iterable$",
        r"^(string|list) indices must be integers",
        r"^a bytes-like object is required",
        r"^unsupported operand type\(s\) for \+: 'float' and",
        r"^'\w+' object (has no attribute|is not)",
        r"^not enough values to unpack|^too many values to unpack",
        r"^string index out of range$|^0$|^timeout value is too large$|^cannot convert float|too large to convert",
        r"^Object of type \w+ is not JSON serializable$",
        r"^Unpack failed|^unpack\(b\)|not allowed for map key when strict_map_key",
        r"codec can't (de|en)code",
        r"^Unknown (literal|scalar|primitive) type",
        r"^Invalid type for url",
        r"^Header value must be str or bytes",
        r"^$",
    )
)

HTTPX_SAYS = "|".join(
    (
        r"^All connection attempts failed$",
        r"^Server disconnected without sending a response\.$",
        r"^peer closed connection without sending complete message body",
        r"^illegal status line",
        r"^Error -3 while decompressing data",
        r"^\[SSL: ",
        r"^unhandled errors in a TaskGroup",
        r"^unknown url type|^Request URL has an unsupported protocol|^Invalid port",
        r"^Too much data for declared Content-Length$",
        r"^$",
    )
)

DIFFERENCES: list[Difference] = [
    # the webhook's requests
    Difference(
        ("*",),
        {"*http.*.header.user-agent": lambda a, b: (a or "").startswith("python-httpx/")},
        "each client gives its own name, unless the template has one",
    ),
    Difference(
        ("*",),
        {"*http.*.header.accept-encoding": changes("gzip, deflate", None, "gzip", "gzip, br", "gzip,deflate")},
        "each client names the encodings that it can undo; the text of the response is compared",
    ),
    Difference(
        ("*",),
        {"*http.*.header.connection": changes("keep-alive", None)},
        "in HTTP/1.1 a connection is kept without a word",
    ),
    Difference(
        ("webhook/backend/cookies",),
        {"http.*.header.cookie": gone},
        "flytekit keeps cookies and sends them with the tasks of other users: a leak",
    ),
    Difference(
        ("webhook/repeated",),
        {"http.*": lambda a, b: b in (None, 0)},
        "the same attempt is not posted a second time: the kept result is given",
    ),
    Difference(
        ("webhook/url/*", "webhook/literal/*/get-inside"),
        {"http.0.target": same_unquoted},
        "URLs are encoded by the WHATWG's rules: a few more characters are escaped, a backslash is a slash",
    ),
    Difference(
        ("webhook/url/path-last-dot*", "webhook/url/path-escaped-dots"),
        {"http.0.target": anything},
        "URLs are normalised by the WHATWG's rules: a last dot leaves a slash, an escaped dot is a dot",
    ),
    Difference(
        ("webhook/headers/value-delete",),
        {"http.*": anything, "phase": anything, "message": anything, "*output*": anything},
        "a control character in a header is refused",
    ),
    Difference(
        ("webhook/headers/content-length",),
        {"http.*": anything},
        "a length that is not that of the body is refused before anything is sent",
    ),
    # the webhook's words
    Difference(
        ("webhook/*",),
        {"message": flytekit_says(HTTPX_SAYS)},
        "a fault of URL or connection is told in words of our own; httpx says nothing at all of a timeout",
    ),
    Difference(
        ("webhook/*",),
        {"message": flytekit_says(PYTHON_SAYS)},
        "a wrong value is told in words of our own where flytekit shows Python's exception",
    ),
    Difference(
        (
            "webhook/literal/datetime-too-late/*",
            "webhook/literal/datetime-bad-nanos/*",
            "webhook/literal/duration-beyond-python/*",
        ),
        CALLERS_FAULT,
        "a time that is none is the caller's fault",
    ),
    # handles
    Difference(
        ("sensor/*", "fixture/*", "lookup/create/*"),
        {"resource_meta": enveloped},
        "the handle is an envelope around flytekit's meta; `handle = \"plain\"` is compared byte by byte",
    ),
    # sensors that could never become ready
    Difference(
        ("*sensor/create/module-*", "*sensor/create/name-*"),
        REFUSED,
        "a sensor that is not built in is refused at Create, where flytekit fails every Get",
    ),
    Difference(
        ("*sensor/create/empty-path",),
        REFUSED,
        "an empty path is refused at Create; flytekit takes it for ready",
    ),
    Difference(
        (
            "*sensor/create/inputs-*",
            "*sensor/create/no-interface",
            "*sensor/create/extra-input-in-interface",
            "*sensor/create/interface-*",
        ),
        REFUSED | CALLERS_FAULT | {"code": lambda a, b: b == "INVALID_ARGUMENT"},
        "inputs that a FileSensor cannot have are refused at Create, where flytekit fails every Get",
    ),
    Difference(
        ("*sensor/create/s3", "*sensor/path/http*", "*sensor/path/unknown-scheme", "fixture/file_sensor_s3/create"),
        REFUSED,
        "only local paths are looked at until object stores are in; the rest is refused at Create",
    ),
    Difference(
        ("*sensor/create/*",),
        CALLERS_FAULT,
        "a template or an input that is wrong is the caller's fault",
    ),
    Difference(
        ("sensor/get/*", "sensor/delete/*", "lookup/*/sync", "wire/size/at-limit"),
        CALLERS_FAULT,
        "bytes that are no handle and no plain meta are the caller's fault",
    ),
    # what there is beside
    Difference(
        ("metadata/addresses",),
        {"metrics on ::1": changes(False, True)},
        "metrics answer on IPv6 too, as the gRPC port does",
    ),
    Difference(
        ("metadata/reflection",),
        {"code": changes("UNIMPLEMENTED", "OK"), "details": gone, "lists_services": changes(None, True)},
        "reflection lets grpcurl and consoles read the interface",
    ),
    # statuses
    Difference(
        ("*",),
        {"details": without_traceback},
        "the cause stands in place of Python's traceback",
    ),
    Difference(
        ("lookup/create/sync",),
        {
            "code": changes("INTERNAL", "OK"),
            "details": gone,
            "resource_meta": anything,
            "get.*": anything,
            "http.*": anything,
            "metric.*": one_count,
        },
        "a Create for a sync type runs it: propeller sends that whenever its list of agents is stale",
    ),
    Difference(
        ("lookup/execute/async", "wire/stream/async"),
        {"code": changes("INTERNAL", "INVALID_ARGUMENT"), "details": ours_says("does not support sync execution")},
        "asking an async type for a sync execution is the caller's fault",
    ),
    Difference(
        ("metadata/get-agent/*",),
        {"code": changes("UNKNOWN", "NOT_FOUND"), "details": ours_says()},
        "an agent that is not there is NOT_FOUND, where flytekit lets an exception through",
    ),
    Difference(
        ("told/*/sensor",),
        {"code": changes("UNKNOWN", "OK", "OUT_OF_RANGE"), "details": anything},
        "logs and metrics of a task work; flytekit has none",
    ),
    Difference(
        ("told/*/bad-meta",),
        {"code": changes("UNKNOWN", "INVALID_ARGUMENT"), "details": ours_says()},
        "bytes that are no handle are the caller's fault, where flytekit lets an exception through",
    ),
    Difference(
        ("told/*/unknown",),
        {"code": changes("UNKNOWN", "NOT_FOUND"), "details": ours_says("Cannot find connector for task type: nope.")},
        "an unknown type is NOT_FOUND here too, where flytekit lets an exception through",
    ),
    Difference(
        ("health/check/*",),
        {"details": ours_says()},
        "an unknown service is NOT_FOUND with a text",
    ),
    Difference(
        ("health/watch/nope",),
        {"code": changes("OK", "NOT_FOUND"), "details": ours_says(), "reply": gone},
        "tonic's health service ends a watch of an unknown service, grpcio's waits for it",
    ),
    # the wire
    Difference(
        ("wire/garbage/*", "wire/truncated/*", "wire/non-utf8/*"),
        {"code": changes("UNKNOWN", "INTERNAL", "INVALID_ARGUMENT"), "details": ours_says()},
        "bytes that are no message: each library has its own status and words",
    ),
    Difference(
        ("wire/unknown-*",),
        {"details": changes("Method not found!", "")},
        "an unknown method is UNIMPLEMENTED, without words",
    ),
    Difference(
        ("wire/size/[!a]*",),
        {"code": changes("RESOURCE_EXHAUSTED", "OUT_OF_RANGE"), "details": ours_says("4194304")},
        "a message over the limit: each library has its own status and words",
    ),
    Difference(
        ("wire/stream/nothing",),
        {"code": changes("UNKNOWN", "INVALID_ARGUMENT"), "details": ours_says(), "metric.*": one_count},
        "a stream without a message is the caller's fault, where flytekit lets an exception through",
    ),
    Difference(
        ("wire/stream/no-inputs",),
        CALLERS_FAULT,
        "a stream that ends before the inputs is the caller's fault",
    ),
    Difference(
        ("wire/template-nan", "wire/template-inf"),
        {"*": anything},
        "a number without a word in JSON: flytekit lets an exception through; any answer with a reason will do",
    ),
    # metrics
    Difference(
        ("metrics/*",),
        {"*_created": gone},
        "series of creation times are prometheus_client's own, of no meaning to Flyte",
    ),
]
