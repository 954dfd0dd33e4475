"""Brings what was observed into a form that can be compared and printed.

Python's protobuf hands out map fields in the order of a hash that changes from process to process, so
flytekit writes the keys of `template.custom` in no particular order: into JSON bodies, query strings and
outputs. Only that order is taken out here; every byte of names and values stays.
"""

from __future__ import annotations

import json
from typing import Any

import msgpack


class _Number(str):
    """A number of a JSON text, as it was written."""


class _Pairs(list):
    """An object, as its pairs."""


def _sorted(value: Any) -> Any:
    if isinstance(value, _Pairs):
        return _Pairs(sorted(((k, _sorted(v)) for k, v in value), key=lambda pair: repr(pair[0])))
    if isinstance(value, list):
        return [_sorted(item) for item in value]
    return value


def _written(value: Any) -> str:
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{_written(k)}:{_written(v)}" for k, v in value) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_written(item) for item in value) + "]"
    return str(value) if isinstance(value, _Number) else repr(value)


def _many_keys(value: Any) -> bool:
    if isinstance(value, _Pairs):
        return len(value) > 1 or any(_many_keys(v) for _, v in value)
    return isinstance(value, list) and any(_many_keys(item) for item in value)


def body(data: bytes) -> str:
    """The bytes of a body; for JSON with objects of several keys, the keys in order and the length.

    The length keeps hold of white space and escapes, which a parser would hide.
    """
    try:
        parsed = json.loads(data, parse_float=_Number, parse_int=_Number, object_pairs_hook=_Pairs)
    except ValueError:
        return repr(data)
    return f"{len(data)} bytes: {_written(_sorted(parsed))}" if _many_keys(parsed) else repr(data)


def target(raw: str) -> str:
    """Path and query as sent, the query's pairs by key; values of one key keep their order."""
    path, mark, query = raw.partition("?")
    pairs = sorted(query.split("&"), key=lambda pair: pair.partition("=")[0])
    return path + mark + "&".join(pairs)


def output(data: bytes) -> str:
    """A msgpack value: the order of keys at the top stays, since flytekit writes these itself."""
    try:
        top = msgpack.unpackb(data, object_pairs_hook=_Pairs, strict_map_key=False)
    except ValueError:
        return repr(data)
    if isinstance(top, _Pairs):
        top = _Pairs((k, _sorted(v)) for k, v in top)
    return f"{len(data)} bytes: {_written(top)}"


def lines(text: str) -> list[str]:
    """The lines of a text for a report, without those that are empty."""
    return [line for line in text.splitlines() if line]
