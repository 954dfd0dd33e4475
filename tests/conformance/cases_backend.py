"""What a webhook makes of its backend's answers: status codes, charsets, redirects, faults and timeouts."""

from __future__ import annotations

import socket

from backend import REPLIES
from build import BACKEND, get_hook, header, hook, inputs, integer, string, webhook
from case import Case
from client import Client, Fields

APART = {"drip", "slow", "cookie"}
"""Endpoints that have cases of their own below."""


def _closed_port() -> int:
    """A port of loopback on which nobody listens: bound while the process lives, but not listening."""
    _CLOSED.bind(("127.0.0.1", 0))
    return _CLOSED.getsockname()[1]


_CLOSED = socket.socket()
CLOSED = _closed_port()


def endpoint(name: str) -> list[Case]:
    custom = {"url": f"{BACKEND}/{name}", "show_data": True, "timeout_sec": 5}
    return [
        get_hook(f"backend/{name}/get", custom),
        hook(f"backend/{name}/post", custom | {"data": {"a": "b"}}),
    ]


def timeout(name: str, path: str, seconds: object) -> Case:
    return get_hook(f"backend/timeout/{name}", {"url": f"{BACKEND}/{path}", "timeout_sec": seconds})


def _cookies(client: Client) -> Fields:
    """Two tasks in a row; what the first was told must not be sent with the second."""
    template = webhook({"url": f"{BACKEND}/cookie/set", "method": "GET"}, client.backend.port)
    client.execute(header(template), inputs())
    template = webhook({"url": f"{BACKEND}/cookie/again", "method": "GET"}, client.backend.port)
    return client.execute(header(template), inputs())


def _connection_kept(client: Client) -> Fields:
    """Several tasks in a row share a connection to the backend."""
    before = client.backend.connections()
    for _ in range(5):
        template = webhook({"url": f"{BACKEND}/text", "method": "GET"}, client.backend.port)
        fields = client.execute(header(template), inputs())
    return fields | {"few_connections": client.backend.connections() - before <= 1}


def _repeated(client: Client) -> Fields:
    """The same execution attempt asks again: propeller does, when it could not write the outputs."""
    request = header(webhook({"url": f"{BACKEND}/json", "data": {"n": "{inputs.n}"}}, client.backend.port))
    identity = request.header.task_execution_metadata.task_execution_id
    identity.node_execution_id.node_id = "n0"
    identity.node_execution_id.execution_id.name = "repeated"
    request.header.output_prefix = "s3://bucket/metadata/repeated/n0/data/0"
    first = client.execute(request, inputs({"n": integer(1)}))
    second = client.execute(request, inputs({"n": integer(1)}))
    return second | {"same_output": first.get("output.info") == second.get("output.info")}


CASES: list[Case] = [
    *(case for name in (*REPLIES, "gzip") if name not in APART for case in endpoint(name)),
    get_hook("backend/refused/get", {"url": f"http://127.0.0.1:{CLOSED}/x"}),
    hook("backend/refused/post", {"url": f"http://127.0.0.1:{CLOSED}/x", "data": {"a": 1}, "show_url": True}),
    get_hook("backend/refused/localhost", {"url": f"http://localhost:{CLOSED}/x"}),
    timeout("slow", "slow", 0.3),
    timeout("drip-within-each-read", "drip", 0.5),
    timeout("drip-beyond-a-read", "drip", 0.2),
    timeout("none", "json", None),
    timeout("none-slower", "drip", None),
    timeout("integral", "json", 1),
    timeout("true", "json", True),
    timeout("zero", "json", 0),
    timeout("negative", "json", -1),
    timeout("string", "json", "5"),
    timeout("list", "json", [1, 2, 3, 4]),
    timeout("dict", "json", {"a": 1}),
    timeout("huge", "json", 1e300),
    hook("backend/timeout/absent", {"url": f"{BACKEND}/json"}, defaults=False),
    hook("backend/large-echo", {"data": {"a": "{inputs.s}"}, "show_data": True}, {"s": string("y" * 1_000_000)}),
    Case("webhook/backend/cookies", _cookies),
    Case("webhook/backend/connection-kept", _connection_kept),
    Case("webhook/repeated", _repeated),
]
