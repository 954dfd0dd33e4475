"""A FileSensor on object stores and web servers: what counts as there, the same servers asked by both.

The servers are those of tests/stores; without them (run.py says so) the cases on stores are left out.
"""

from __future__ import annotations

from build import BACKEND, FILE_SENSOR, create_request, located, sensor_template, string
from case import Case
from client import Client, Fields
from first_look import first_look
from stores import BUCKET, ROOT, stores_are_there

SCHEMES = ("s3", "gs", "abfs", "abfss", "az")

PATHS = {
    "object": "there",
    "missing": "missing",
    "part-of-a-name": "the",
    "longer-than-a-name": "there.csv",
    "blank": "a b",
    "plus-for-blank": "a+b",
    "escaped-blank": "a%20b",
    "percent": "50%25",
    "percent-decoded": "50%",
    "hash": "a#b",
    "before-hash": "a",
    "question": "a?b",
    "and": "a&b=c",
    "unicode": "é世🚀",
    "unicode-escaped": "%C3%A9%E4%B8%96%F0%9F%9A%80",
    "folder": "folder",
    "folder-slash": "folder/",
    "folder-missing": "nowhere/",
    "folder-part": "fold",
    "deep-folder": "deep",
    "deep-folder-slash": "deep/er/",
    "deep-object": "deep/er/key.csv",
    "object-slash": "there/",
    "below-object": "there/below",
    "glob": "the*",
    "version": "there?versionId=1",
    "upper-case": "THERE",
    "blank-at-end": "there ",
    "root": "",
}


def path(name: str, value: str) -> Case:
    """Create, then the first Get."""

    def call(client: Client) -> Fields:
        items = {"path": string(located(value, client.backend.port))}
        return first_look(client, create_request(sensor_template(FILE_SENSOR), items))

    return Case(f"store/{name}", call)


STORES = [path(f"{scheme}/{name}", f"{scheme}://{ROOT}/{key}") for scheme in SCHEMES for name, key in PATHS.items()]
STORES += [
    case
    for scheme in SCHEMES
    for case in (
        path(f"{scheme}/bucket", f"{scheme}://{BUCKET}"),
        path(f"{scheme}/bucket-slash", f"{scheme}://{BUCKET}/"),
        path(f"{scheme}/bucket-missing", f"{scheme}://no-such-bucket"),
        path(f"{scheme}/key-in-missing-bucket", f"{scheme}://no-such-bucket/key"),
        path(f"{scheme}/nothing", f"{scheme}://"),
        path(f"{scheme}/slashes", f"{scheme}:///{ROOT}/there"),
    )
]

WEB = [
    path("http/there", f"{BACKEND}/json"),
    path("http/missing", f"{BACKEND}/not-found"),
    path("http/forbidden", f"{BACKEND}/forbidden"),
    path("http/wants-login", f"{BACKEND}/denied"),
    path("http/broken", f"{BACKEND}/error"),
    path("http/unavailable", f"{BACKEND}/unavailable"),
    path("http/too-many", f"{BACKEND}/too-many"),
    path("http/created", f"{BACKEND}/created"),
    path("http/query", f"{BACKEND}/json?a=b c&d=%41"),
    path("http/fragment", f"{BACKEND}/json#here"),
    path("http/unicode", f"{BACKEND}/é世"),
    path("http/refused", "http://127.0.0.1:1/"),
    path("http/no-host", "http://"),
]

CASES: list[Case] = (STORES if stores_are_there() else []) + WEB
