"""THE TABLE of deliberate differences between Flightdeck and flytekit's service.

Each entry names the cases and the fields it is about, what may differ there and how, and why. A difference that
no entry explains fails the run, and so does an entry that explained nothing although its cases ran: the table
stays true. Fields are those of client.py; names of cases and fields are shell patterns.
"""

from __future__ import annotations

from rules import (
    Difference,
    Rule,
    anything,
    changes,
    changes_to,
    enveloped,
    flytekit_says,
    gone,
    one_count,
    ours_says,
    same_unquoted,
    says_offloaded,
)

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
"""Both refuse it; Flightdeck says that it is the request, not the service, and what is wrong with it."""

TOLD: dict[str, Rule] = {
    "get.phase": changes("RUNNING", "INITIALIZING"),
    "get.message": ours_says("cannot "),
}
"""Both wait; Flightdeck says why nothing is known yet."""

FAILED_HERE: dict[str, Rule] = {
    "phase": changes("SUCCEEDED", "FAILED"),
    "message": ours_says(),
    "has_outputs": changes(True, False),
    "output.*": gone,
    "http.*": gone,
}
"""flytekit sends it, Flightdeck fails the task with the reason."""

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
        {"*http.*.header.user-agent": lambda a, b: (a or "").startswith("python-httpx/") and bool(b)},
        "each client gives its own name, unless the template has one",
    ),
    Difference(
        ("webhook/backend/cookies",),
        {"http.*.header.cookie": gone},
        "flytekit keeps cookies and sends them with the tasks of other users: a leak",
    ),
    Difference(
        ("webhook/url/*", "webhook/literal/*/get-inside"),
        {"http.0.target": same_unquoted},
        "a backslash in a path and an apostrophe in a query are escaped, as the WHATWG's rules want it",
    ),
    Difference(
        ("webhook/url/path-last-dot*", "webhook/url/path-escaped-dots"),
        {"http.0.target": anything},
        "URLs are normalised by the WHATWG's rules: a last dot leaves a slash, an escaped dot is a dot",
    ),
    Difference(
        ("webhook/url/ipv4-in-ipv6",),
        {"http.*.header.host": changes_to(r"\[::ffff:7f00:1\]:\d+")},
        "an IPv6 address is written in one way, the WHATWG's",
    ),
    Difference(
        ("webhook/query/list-of-pairs-odd", "webhook/query/list-of-strings", "webhook/headers/list-of-strings"),
        FAILED_HERE,
        "strings and longer lists are no pairs; Python takes them apart",
    ),
    Difference(
        ("webhook/headers/value-delete",),
        FAILED_HERE,
        "a control character in a header is refused",
    ),
    Difference(
        ("webhook/headers/content-length",),
        {"http.*": anything, "phase": changes("FAILED", "SUCCEEDED"), "message": anything, "*output*": anything},
        "the length of the body is the client's to tell; flytekit lets a template's own break the request",
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
    # the webhook's inputs
    Difference(
        (
            "webhook/literal/datetime-too-late/*",
            "webhook/literal/datetime-bad-nanos/*",
            "webhook/literal/duration-beyond-python/*",
        ),
        {
            "code": changes("INTERNAL", "OK"),
            "details": gone,
            "phase": changes(None, "FAILED"),
            "message": ours_says(),
            "has_outputs": changes(None, False),
            "kind": anything,
            "replies": anything,
            "rest": anything,
            "metric.*": one_count,
        },
        "a time that is none fails the task, as any other bad input does; propeller would repeat the call",
    ),
    Difference(
        ("webhook/repeated",),
        {"http.*": gone, "requests": anything},
        "a repeated call of one execution attempt gets the kept result; flytekit sends the request a second time",
    ),
    Difference(
        ("webhook/literal/msgpack-reserved/*",),
        {"*": anything},
        "the byte that msgpack reserves, and no encoder writes, is read as nil; flytekit fails without a word",
    ),
    Difference(
        ("webhook/literal/generic-empty/*",),
        {"*": anything},
        "an empty Struct is an empty dict; flytekit takes it for a literal that is not set",
    ),
    Difference(
        ("webhook/literal/offloaded/*",),
        {"http.*": says_offloaded, "output.info": says_offloaded},
        "the text that stands for an offloaded literal leaves its inferred type out",
    ),
    # handles
    Difference(
        ("sensor/*", "store/*", "fixture/*", "lookup/create/*"),
        {"resource_meta": enveloped},
        'the handle is an envelope around flytekit\'s meta; `handle = "plain"` is compared byte by byte',
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
        ("*sensor/path/unknown-scheme",),
        REFUSED,
        "a path of a storage that nobody serves is refused at Create, where flytekit fails every Get",
    ),
    Difference(
        ("*sensor/create/*",),
        CALLERS_FAULT | {"details": ours_says("failed to create sensor task with error:\n")},
        "a template or an input that is wrong is the caller's fault; no traceback",
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
    # sensors, told otherwise
    Difference(
        (
            "*sensor/create/no-interface",
            "*sensor/create/interface-integer-value-string",
            "*sensor/create/interface-unset",
        ),
        {
            "code": changes("INTERNAL", "OK"),
            "details": gone,
            "resource_meta": lambda a, b: b"/no/such/file" in (b or b""),
            "metric.*": one_count,
        },
        "inputs are read by what they are; the interface, which propeller has checked, is not asked",
    ),
    Difference(
        ("*sensor/create/path-unset",),
        {"metric.*input_literal_bytes_sum*": changes(10.0, 8.0)},
        "a literal that is not set takes no bytes where the size of the inputs is reckoned",
    ),
    Difference(
        ("*sensor/path/nul",),
        REFUSED,
        "a path with a NUL byte is refused at Create; flytekit waits for it for ever",
    ),
    Difference(
        ("*sensor/path/long",),
        {"get.phase": changes("RUNNING", "FAILED"), "get.message": ours_says()},
        "a path that no file can have fails the task; flytekit waits for it for ever",
    ),
    Difference(
        ("sensor/get/module-*", "sensor/get/name-*", "sensor/get/inputs-*", "sensor/get/path-*"),
        {
            "code": changes("INTERNAL", "OK"),
            "details": gone,
            "phase": changes(None, "RUNNING", "FAILED"),
            "message": ours_says(),
            "has_outputs": changes(None, False),
            "rest": changes(None, ""),
            "metric.*": one_count,
        },
        "a sensor that cannot be run here is told with the cause, without spending the caller's errors",
    ),
    Difference(
        ("sensor/get/extra-key", "sensor/delete/extra-key"),
        {"*": lambda a, b: a == "INTERNAL" and b == "OK" or a != "INTERNAL"},
        "a key of a later flytekit in its meta does no harm",
    ),
    # sensors on stores and web servers
    Difference(
        ("store/*/nothing", "store/http/no-host"),
        REFUSED,
        "a URL that names no bucket and no host is refused at Create; flytekit succeeds at once, or waits for ever",
    ),
    Difference(
        ("store/*/key-in-missing-bucket",),
        TOLD,
        "a missing bucket is told, and ends the task when that persists; flytekit waits for ever",
    ),
    Difference(
        ("store/gs/bucket-missing",),
        TOLD,
        "the server that stands for Google's answers 500 for a bucket that is not there",
    ),
    Difference(
        (
            "store/http/wants-login",
            "store/http/broken",
            "store/http/unavailable",
            "store/http/too-many",
            "store/http/refused",
            "own/HttpSensor/broken",
        ),
        TOLD,
        "a web server that cannot be asked is told with the cause; flytekit says the same of it as of a missing page",
    ),
    # statuses
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
        ("wire/stream/empty", "wire/stream/inputs-first"),
        {"code": changes("NOT_FOUND", "INVALID_ARGUMENT"), "details": ours_says("header"), "metric.*": one_count},
        "a stream that does not begin with a header is the caller's fault",
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
