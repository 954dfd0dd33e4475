"""Every kind of literal through a webhook's template: as the whole string and inside one, in POST and in GET."""

from __future__ import annotations

import msgpack
from flyteidl.core import literals_pb2, types_pb2
from google.protobuf import struct_pb2

from build import (
    BACKEND,
    binary,
    boolean,
    collection,
    datetime,
    duration,
    float_,
    generic,
    get_hook,
    hook,
    integer,
    mapping,
    none,
    offloaded,
    packed,
    primitive,
    scalar,
    simple,
    string,
    union,
)
from case import Case

Literal = literals_pb2.Literal


def _number(value: float) -> Literal:
    """A generic with a number that JSON has no word for."""
    literal = scalar(generic=struct_pb2.Struct())
    literal.scalar.generic.fields["n"].number_value = value
    return literal


def _unset_value() -> Literal:
    literal = scalar(generic=struct_pb2.Struct())
    literal.scalar.generic.fields["n"].SetInParent()
    return literal


# These all have one key a level, because the order of keys is not flytekit's own (see canonical.py).
LITERALS: dict[str, Literal] = {
    "integer": integer(5),
    "integer-zero": integer(0),
    "integer-negative": integer(-7),
    "integer-beyond-double": integer(2**53 + 1),
    "integer-max": integer(2**63 - 1),
    "integer-min": integer(-(2**63)),
    "float": float_(1.5),
    "float-integral": float_(2.0),
    "float-1e22": float_(1e22),
    "float-1e16": float_(1e16),
    "float-1e15": float_(1e15),
    "float-17-digits": float_(123456789012345680.0),
    "float-1e-4": float_(0.0001),
    "float-1e-5": float_(0.00001),
    "float-1e-7": float_(1e-7),
    "float-third": float_(1 / 3),
    "float-denormal": float_(5e-324),
    "float-max": float_(1.7976931348623157e308),
    "float-negative-zero": float_(-0.0),
    "float-nan": float_(float("nan")),
    "float-inf": float_(float("inf")),
    "float-minus-inf": float_(float("-inf")),
    "true": boolean(True),
    "false": boolean(False),
    "string": string("plain"),
    "string-empty": string(""),
    "string-escapes": string("a\"b\nc'd\\ \t\r\b\f/ \x01\x1f\x7f"),
    "string-unicode": string("é 世界 🚀 \u2028 \ufeff \u0301"),
    "string-placeholder": string("{inputs.x}"),
    "datetime": datetime(1700000000),
    "datetime-micros": datetime(1700000000, 123456000),
    "datetime-nanos": datetime(1700000000, 123456789),
    "datetime-half": datetime(1700000000, 500000000),
    "datetime-1969": datetime(-1, 500000000),
    "datetime-1900": datetime(-2208988800),
    "datetime-first": datetime(-62135596800),
    "datetime-last": datetime(253402300799, 999999999),
    "datetime-too-late": datetime(253402300800),
    "datetime-bad-nanos": datetime(5, -5),
    "duration": duration(1),
    "duration-zero": duration(0),
    "duration-half": duration(1, 500000000),
    "duration-tenth": duration(0, 100000000),
    "duration-negative": duration(-1, -500000000),
    "duration-1500ns": duration(0, 1500),
    "duration-1ns": duration(0, 1),
    "duration-999ns": duration(0, 999),
    "duration-micros": duration(3, 7000),
    "duration-century": duration(86400 * 36525),
    "duration-mixed-signs": duration(1, -5),
    "duration-minus-1500ns": duration(0, -1500),
    "duration-beyond-protobuf": duration(400_000_000_000),
    "duration-beyond-python": duration(2**62),
    "none": none(),
    "error": scalar(error=types_pb2.Error(failed_node_id="n0", message="boom")),
    "error-empty": scalar(error=types_pb2.Error()),
    "blob": scalar(blob=literals_pb2.Blob(uri="s3://b/k")),
    "schema": scalar(schema=literals_pb2.Schema(uri="s3://b/s")),
    "structured-dataset": scalar(structured_dataset=literals_pb2.StructuredDataset(uri="bq://p:d.t")),
    "generic": generic({"a": {"b": [1, 2.5, "it's", None, True, {"c": "é"}]}}),
    "generic-numbers": generic({"a": [1e300, 1e22, 1e16, 1e15, -3, 0.5, 1e-7, -0.0, 9007199254740993]}),
    "generic-empties": generic({"a": [{}, [], "", {"b": {}}]}),
    "generic-empty": generic({}),
    "generic-nan": _number(float("nan")),
    "generic-inf": _number(float("inf")),
    "generic-minus-inf": _number(float("-inf")),
    "generic-value-unset": _unset_value(),
    "union": union(integer(3)),
    "union-of-union": union(union(string("in"))),
    "union-none": union(none()),
    "union-empty": scalar(union=literals_pb2.Union()),
    "collection": collection(integer(1), string("q'"), none(), float_(2.0), boolean(True), datetime(5)),
    "collection-empty": collection(),
    "collection-nested": collection(collection(integer(1)), mapping(k=collection(string('"')))),
    "collection-reprs": collection(
        *(string(s) for s in ("it's", '"dq"', "both'\"", "\\", "\n\t\r", "\x00\x7f\x80\xa0\xad", "\u200b\u2028\ufeff"))
    ),
    "collection-reprs-beyond": collection(
        *(string(s) for s in ("é", "\u0301", "🚀", "\U000e0001", "\ue000", "\u0378"))
    ),
    "collection-nan": collection(float_(float("nan")), float_(float("-inf"))),
    "collection-bytes": collection(binary(b"it's")),
    "map": mapping(k=integer(1)),
    "map-empty": mapping(),
    "map-nested": mapping(k=mapping(j=collection(float_(1.0)))),
    "msgpack-dict": packed({"b": 1, "a": [1.0, None, "é🚀"]}),
    "msgpack-list": packed([1, 2.5, True, "x"]),
    "msgpack-float": packed(1e22),
    "msgpack-float32": binary(b"\xca\x3d\xcc\xcc\xcd", "msgpack"),
    "msgpack-none": packed(None),
    "msgpack-string": packed('str"\x00\x1f\x7f/\u2028'),
    "msgpack-true": packed(True),
    "msgpack-u64": packed(2**64 - 1),
    "msgpack-negative": packed(-(2**63)),
    "msgpack-nan": packed([float("nan"), float("inf"), float("-inf")]),
    "msgpack-nested-empty": packed({"a": {}, "b": []}),
    "msgpack-repeated-key": binary(b"\x82\xa1a\x01\xa1a\x02", "msgpack"),
    "msgpack-integer-key": packed({1: 2}),
    "msgpack-nil-key": binary(b"\x81\xc0\x01", "msgpack"),
    "msgpack-bytes": packed({"a": b"x"}),
    "msgpack-timestamp": binary(b"\xd6\xff\x00\x00\x00\x01", "msgpack"),
    "msgpack-extension": binary(b"\xd4\x05\x01", "msgpack"),
    "msgpack-trailing": binary(b"\x01\x02", "msgpack"),
    "msgpack-cut": binary(b"\x92\x01", "msgpack"),
    "msgpack-empty": binary(b"", "msgpack"),
    "msgpack-reserved": binary(b"\xc1", "msgpack"),
    "msgpack-bad-utf8": binary(b"\xa1\xff", "msgpack"),
    "binary": binary(b"\x00\x01\xff"),
    "binary-empty": binary(b"", ""),
    "offloaded": offloaded(uri="s3://o", size_bytes=5, inferred_type=simple(types_pb2.INTEGER)),
    "offloaded-uri": offloaded(uri="s3://o"),
    "offloaded-empty": offloaded(),
    "unset": Literal(),
    "unset-scalar": scalar(),
    "unset-primitive": primitive(),
    "hashed": Literal(scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(integer=4)), hash="h"),
}


INSIDE_URL = f"{BACKEND}/json/a={{inputs.x}};"


def _cases() -> list[Case]:
    cases = []
    for name, literal in LITERALS.items():
        items = {"x": literal}
        cases += [
            hook(f"literal/{name}/post-whole", {"data": {"k": "{inputs.x}"}, "show_data": True}, items),
            hook(f"literal/{name}/post-inside", {"data": ["a={inputs.x};"], "show_data": True}, items),
            get_hook(f"literal/{name}/get-whole", {"data": {"k": "{inputs.x}"}}, items),
            get_hook(f"literal/{name}/get-inside", {"url": INSIDE_URL, "data": None}, items),
        ]
    return cases


CASES: list[Case] = [
    *_cases(),
    hook("literal/unused-unset", {"data": {"a": 1}}, {"x": Literal()}),
    hook("literal/unused-nan", {"data": {"a": 1}}, {"x": float_(float("nan"))}),
    hook("literal/header-whole-string", {"headers": {"X-A": "{inputs.x}"}}, {"x": string("v")}),
    hook("literal/header-whole-integer", {"headers": {"X-A": "{inputs.x}"}}, {"x": integer(5)}),
    hook("literal/header-whole-none", {"headers": {"X-A": "{inputs.x}"}}, {"x": none()}),
    hook("literal/header-whole-binary", {"headers": {"X-A": "{inputs.x}"}}, {"x": binary(b"\xff\xfe")}),
    hook("literal/header-inside", {"headers": {"X-A": "v{inputs.x}"}}, {"x": float_(1e22)}),
    hook("literal/header-newline", {"headers": {"X-A": "v{inputs.x}"}}, {"x": string("a\r\nEvil: 1")}),
    get_hook("literal/show-binary", {"data": {"k": "{inputs.x}"}, "show_data": True}, {"x": binary(b"\xff\xfe")}),
    get_hook("literal/show-nan", {"data": {"k": "{inputs.x}"}, "show_data": True}, {"x": float_(float("nan"))}),
    hook("literal/bad-utf8-later", {}, {"x": binary(msgpack.packb("ok")[:1] + b"\xc3\x28", "msgpack")}),
]
