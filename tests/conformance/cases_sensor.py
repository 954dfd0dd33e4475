"""A sensor's Create and Get, one call each: templates, inputs, paths, and flytekit's plain meta."""

from __future__ import annotations

import json
from typing import Any

from flyteidl.core import literals_pb2, types_pb2

from build import (
    FILE_SENSOR,
    PATH_INTERFACE,
    Literal,
    binary,
    boolean,
    collection,
    create_request,
    datetime,
    float_,
    generic,
    integer,
    located,
    mapping,
    none,
    packed,
    scalar,
    sensor_template,
    simple,
    string,
    union,
)
from case import Case
from client import Client, Fields

TWO = PATH_INTERFACE | {"x": simple(types_pb2.INTEGER)}

HERE = "<files>"
"""In a path: stands for the folder of files, known only when the case runs."""


def created(
    name: str,
    items: dict[str, Literal] | None = None,
    custom: dict[str, Any] | None = None,
    interface: dict[str, types_pb2.LiteralType] | None = None,
    **fields: Any,
) -> Case:
    """One Create. Without inputs of its own the path is one that does not exist."""
    template = sensor_template(FILE_SENSOR if custom is None else custom, interface, **fields)
    given = {"path": string("/no/such/file")} if items is None else items
    return Case(f"sensor/create/{name}", lambda client: client.create(create_request(template, given)))


def two_inputs(name: str) -> Case:
    """One Create with an input too many. The order of several inputs in flytekit's meta is not its own."""
    request = create_request(sensor_template(FILE_SENSOR, TWO), {"path": string("/"), "x": integer(1)})

    def call(client: Client) -> Fields:
        fields = client.create(request)
        return fields | {"resource_meta": sorted(fields.get("resource_meta", b""))}

    return Case(f"sensor/create/{name}", call)


def without_inputs(name: str, custom: dict[str, Any], interface: dict[str, types_pb2.LiteralType] | None) -> Case:
    """One Create whose request does not set `inputs`."""
    template = sensor_template(custom, interface)
    return Case(f"sensor/create/{name}", lambda client: client.create(create_request(template, None)))


def path(name: str, value: str) -> Case:
    """Create, then the first Get: whether the path counts as there."""

    def call(client: Client) -> Fields:
        place = located(value.replace(HERE, str(client.files)), client.backend.port)
        items = {"path": string(place)}
        fields = client.create(create_request(sensor_template(FILE_SENSOR), items))
        if fields["code"] != "OK":
            return fields
        got = client.get(fields["resource_meta"])
        return fields | {f"get.{key}": value for key, value in got.items()}

    return Case(f"sensor/path/{name}", call)


def plain_meta(**changed: Any) -> bytes:
    """The meta that flytekit makes, with these fields changed."""
    meta = FILE_SENSOR | {"inputs": {"path": "/"}} | changed
    return json.dumps(meta).encode()


def got(name: str, meta: bytes) -> Case:
    return Case(f"sensor/get/{name}", lambda client: client.get(meta))


def deleted(name: str, meta: bytes) -> Case:
    return Case(f"sensor/delete/{name}", lambda client: client.delete(meta))


STRING = literals_pb2.Literal(
    scalar=literals_pb2.Scalar(primitive=literals_pb2.Primitive(string_value="/no/such/file")), hash="h"
)

CREATES = [
    created("plain"),
    created("unicode", {"path": string('/no/é 世 🚀 "quoted" \\ \n\x7f')}),
    created("hash", {"path": STRING}),
    created("msgpack-string", {"path": packed("/no/such/file")}),
    created("more-in-interface", interface=TWO),
    created("config", custom=FILE_SENSOR | {"sensor_config": {"a": [1, 1.5, 1e22, "é", None, True, {}]}}),
    created("config-empty", custom=FILE_SENSOR | {"sensor_config": {}}),
    created("config-absent", custom={k: v for k, v in FILE_SENSOR.items() if k != "sensor_config"}),
    created("inputs-in-custom", custom=FILE_SENSOR | {"inputs": {"path": "/other"}}),
    created("inputs-in-custom-only", {}, custom=FILE_SENSOR | {"inputs": {"path": "/other"}}),
    created("no-interface", interface={}),
    created("inputs-empty", {}),
    created("s3", {"path": string("s3://bucket/key")}),
    created("empty-path", {"path": string("")}),
    without_inputs("inputs-unset", FILE_SENSOR, None),
    without_inputs("inputs-unset-no-interface", FILE_SENSOR, {}),
    # what the template must have
    created("custom-unset", custom={}),
    created("no-module", custom={"sensor_name": "FileSensor"}),
    created("no-name", custom={"sensor_module": "flytekit.sensor.file_sensor"}),
    created("extra-key", custom=FILE_SENSOR | {"z": 1}),
    created("module-number", custom=FILE_SENSOR | {"sensor_module": 5}),
    created("module-null", custom=FILE_SENSOR | {"sensor_module": None}),
    created("module-unknown", custom=FILE_SENSOR | {"sensor_module": "no.such"}),
    created("module-other", custom=FILE_SENSOR | {"sensor_module": "my.sensors"}),
    created("name-unknown", custom=FILE_SENSOR | {"sensor_name": "Nope"}),
    created("name-null", custom=FILE_SENSOR | {"sensor_name": None}),
    created("template-empty", custom={}, interface={}, type="sensor"),
    # wrong literals for a string
    created("path-integer", {"path": integer(5)}),
    created("path-float", {"path": float_(5.0)}),
    created("path-boolean", {"path": boolean(True)}),
    created("path-datetime", {"path": datetime(5)}),
    created("path-none", {"path": none()}),
    created("path-collection", {"path": collection(string("/"))}),
    created("path-map", {"path": mapping(a=string("/"))}),
    created("path-blob", {"path": scalar(blob=literals_pb2.Blob(uri="/"))}),
    created("path-generic", {"path": generic({"a": 1})}),
    created("path-binary", {"path": binary(b"/")}),
    created("path-msgpack-number", {"path": packed(5)}),
    created("path-union", {"path": union(string("/"))}),
    created("path-unset", {"path": Literal()}),
    created("other-input", {"file": string("/")}),
    created("extra-input", {"path": string("/"), "x": integer(1)}),
    two_inputs("extra-input-in-interface"),
    # an interface that a FileSensor cannot have
    created("interface-integer", {"path": integer(5)}, interface={"path": simple(types_pb2.INTEGER)}),
    created("interface-boolean", {"path": boolean(True)}, interface={"path": simple(types_pb2.BOOLEAN)}),
    created("interface-none", {"path": none()}, interface={"path": simple(types_pb2.NONE)}),
    created("interface-datetime", {"path": datetime(5)}, interface={"path": simple(types_pb2.DATETIME)}),
    created("interface-integer-value-string", interface={"path": simple(types_pb2.INTEGER)}),
    created("interface-unset", interface={"path": types_pb2.LiteralType()}),
]

PATHS = [
    path("file", f"{HERE}/there"),
    path("missing", f"{HERE}/missing"),
    path("file-url", f"file://{HERE}/there"),
    path("file-url-missing", f"file://{HERE}/missing"),
    path("file-url-one-slash", f"file:{HERE}/there"),
    path("file-url-host", f"file://localhost{HERE}/there"),
    path("file-url-alone", "file://"),
    path("file-url-root", "file:///"),
    path("folder", f"{HERE}/folder"),
    path("folder-slash", f"{HERE}/folder/"),
    path("folder-url", f"file://{HERE}/folder"),
    path("file-slash", f"{HERE}/there/"),
    path("blank-unicode", f"{HERE}/a b é 世.txt"),
    path("blank-unicode-url", f"file://{HERE}/a b é 世.txt"),
    path("escaped-url", f"file://{HERE}/a%20b%20%C3%A9%20%E4%B8%96.txt"),
    path("percent", f"{HERE}/50%25"),
    path("percent-url", f"file://{HERE}/50%25"),
    path("hash", f"{HERE}/a#b"),
    path("hash-url", f"file://{HERE}/a#b"),
    path("question", f"{HERE}/a?b"),
    path("question-url", f"file://{HERE}/a?b"),
    path("glob", f"{HERE}/*"),
    path("star", f"{HERE}/star*"),
    path("star-prefix", f"{HERE}/sta*"),
    path("link", f"{HERE}/link"),
    path("dangling-link", f"{HERE}/dangling"),
    path("double-slash", f"{HERE}//there"),
    path("up-and-down", f"{HERE}/folder/../there"),
    path("trailing-blank", f"{HERE}/there "),
    path("nul", f"{HERE}/there\x00"),
    path("blank", " "),
    path("root", "/"),
    path("relative", "relative"),
    path("dot", "."),
    path("dots", ".."),
    path("home", "~"),
    path("in-home", "~/missing"),
    path("colon", "x:y"),
    path("drive", "C:\\x"),
    path("data-url", "data:,x"),
    path("unknown-scheme", "nope://x"),
    path("below-file", f"{HERE}/there/below"),
    path("long", "/" + "x" * 5000),
]

GETS = [
    got("plain", plain_meta()),
    got("missing", plain_meta(inputs={"path": "/no/such/file"})),
    got("unicode", json.dumps(FILE_SENSOR | {"inputs": {"path": "/é"}}, ensure_ascii=False).encode()),
    got("compact", json.dumps(json.loads(plain_meta()), separators=(",", ":")).encode()),
    got("other-order", json.dumps(dict(reversed(json.loads(plain_meta()).items()))).encode()),
    got("white-space", b" \n" + plain_meta() + b"\t\n"),
    got("config", plain_meta(sensor_config={"a": [1.5]})),
    got("config-absent", plain_meta().replace(b'"sensor_config": null, ', b"")),
    got("empty", b""),
    got("random", bytes(range(128, 200))),
    got("zeros", b"\0\0\0\0"),
    got("words", b"hello"),
    got("json-number", b"5"),
    got("json-null", b"null"),
    got("json-list", b"[]"),
    got("json-string", b'"x"'),
    got("json-empty", b"{}"),
    got("json-deep", b"[" * 100_000),
    got("trailing", plain_meta() + b"x"),
    got("cut", plain_meta()[:-5]),
    got("latin-1", plain_meta(inputs={"path": "/x"}).replace(b"/x", b"/\xe9")),
    got("byte-order-mark", b"\xef\xbb\xbf" + plain_meta()),
    got("extra-key", plain_meta(z=1)),
    got("no-module", plain_meta().replace(b"sensor_module", b"sensor_modul")),
    got("module-unknown", plain_meta(sensor_module="no.such")),
    got("name-unknown", plain_meta(sensor_name="Nope")),
    got("inputs-null", plain_meta(inputs=None)),
    got("inputs-empty", plain_meta(inputs={})),
    got("inputs-list", plain_meta(inputs=["/"])),
    got("inputs-other", plain_meta(inputs={"file": "/"})),
    got("inputs-more", plain_meta(inputs={"path": "/", "x": 1})),
    got("path-number", plain_meta(inputs={"path": 5})),
    got("path-null", plain_meta(inputs={"path": None})),
    got("large", b"x" * 3_000_000),
]

DELETES = [
    deleted("plain", plain_meta()),
    deleted("missing", plain_meta(inputs={"path": "/no/such/file/to/delete"})),
    deleted("empty", b""),
    deleted("random", bytes(range(128, 200))),
    deleted("json-empty", b"{}"),
    deleted("extra-key", plain_meta(z=1)),
]

CASES: list[Case] = CREATES + PATHS + GETS + DELETES

PLAIN_CASES: list[Case] = [Case(f"plain/{case.name}", case.call) for case in CREATES + PATHS]
"""The same against a Flightdeck that hands out plain metas: these must be flytekit's, byte by byte."""
