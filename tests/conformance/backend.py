"""The backend that both services call: an HTTP server on loopback that records every request.

Python's own `http.server` is enough: it keeps the request line as it came, and the reply is
scripted by the first segment of the path, so that a case only has to choose a URL.
"""

from __future__ import annotations

import gzip
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Recording:
    """One HTTP request as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes


@dataclass
class Reply:
    """What an endpoint answers: a status, a body and the headers beside Content-Length."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """The Content-Length to announce when it is not that of the body."""
    chunks: tuple[bytes, ...] = ()
    """Sent with chunked encoding in place of the body, `pause` seconds apart."""
    pause: float = 0.0


def text(body: str | bytes, content_type: str | None = "text/plain; charset=utf-8", status: int = 200) -> Reply:
    data = body.encode() if isinstance(body, str) else body
    return Reply(status, data, {"Content-Type": content_type} if content_type else {})


REPLIES: dict[str, Reply] = {
    "json": text('{"ok": true, "n": [1, 2.5, null]}', "application/json"),
    "text": text("hello"),
    "unicode": text("grüße, 世界 🚀"),
    "latin1": text("café ÿ".encode("latin-1"), "text/plain; charset=latin-1"),
    "iso": text("café ÿ".encode("latin-1"), 'text/plain; charset="ISO-8859-1"'),
    "cp1252": text(b"\x80uro \x93q\x94", "text/plain; charset=windows-1252"),
    "sjis": text("日本".encode("shift_jis"), "text/plain; charset=shift_jis"),
    "utf16": text("hey ☃".encode("utf-16"), "text/plain; charset=utf-16"),
    "latin1-undeclared": text("café ÿ".encode("latin-1"), "text/plain"),
    "invalid-utf8": text(b"a\xffb\xe2\x82c\xf0\x9f\x9ad", "text/plain; charset=utf-8"),
    "invalid-bytes": text(b"\xff\xfe\xfd\x00abc", "application/octet-stream"),
    "bom": text(b"\xef\xbb\xbfbom", "text/plain; charset=utf-8"),
    "bom-undeclared": text(b"\xef\xbb\xbfbom", "text/plain"),
    "unknown-charset": text("ünknown", "text/plain; charset=klingon"),
    "ascii-charset": text("ünknown", "text/plain; charset=us-ascii"),
    "untyped": text("ünt yped", None),
    "html": text('<meta charset="latin-1">ü', "text/html"),
    "nul": text(b"a\x00b"),
    "empty": text("", None),
    "created": text("made", status=201),
    "accepted": text("later", status=202),
    "no-content": Reply(204),
    "moved": Reply(301, b"moved", {"Location": "/json"}),
    "redirect": Reply(302, b"", {"Location": "/json"}),
    "see-other": Reply(303, b"see", {"Location": "/json"}),
    "permanent": Reply(308, b"", {"Location": "/json"}),
    "not-modified": Reply(304),
    "bad-request": text('bad { braces } and "quotes"', status=400),
    "denied": text("", status=401),
    "forbidden": text("", status=403),
    "not-found": text("nothing here", status=404),
    "too-many": Reply(429, b"slow down", {"Retry-After": "1"}),
    "error": text("it broke\nbadly", status=500),
    "unavailable": Reply(503, b"busy", {"Retry-After": "1"}),
    "odd-status": text("odd", status=299),
    "cookie": Reply(200, b"cookie", {"Set-Cookie": "session=secret; Path=/cookie"}),
    "chunked": Reply(200, chunks=(b"one ", b"two ", b"three")),
    "drip": Reply(200, chunks=(b"a", b"b", b"c", b"d", b"e"), pause=0.3),
    "big": text("x" * 1_000_000),
    "cut-short": Reply(200, b"abc", {"Content-Type": "text/plain"}, length=10),
    "bad-gzip": Reply(200, b"this is not gzip", {"Content-Encoding": "gzip"}),
    "bad-status-line": Reply(),
    "slow": Reply(200, b"late", pause=3.0),
    "reset": Reply(),
    "hang-up": Reply(),
}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the report has what was recorded."""

    def _answer(self) -> None:
        target = self.requestline.split(" ")[1]
        with self.server.reading():
            length = int(self.headers.get("Content-Length") or 0)
            body = self.rfile.read(length) if length else b""
            self.server.record(Recording(self.command, target, tuple(self.headers.items()), body))
        name = target.lstrip("/").partition("?")[0].partition("/")[0]
        SPECIAL.get(name, _plain)(self, REPLIES.get(name, REPLIES["json"]))

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _answer


def _plain(handler: _Handler, reply: Reply) -> None:
    handler.send_response(reply.status)
    for name, value in reply.headers.items():
        handler.send_header(name, value)
    if reply.chunks:
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for chunk in reply.chunks:
            time.sleep(reply.pause)
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(chunk), chunk))
        handler.wfile.write(b"0\r\n\r\n")
        return
    if reply.status not in (204, 304):
        handler.send_header("Content-Length", str(len(reply.body) if reply.length is None else reply.length))
    handler.end_headers()
    handler.wfile.write(reply.body)
    handler.close_connection = reply.length is not None


def _gzip(handler: _Handler, reply: Reply) -> None:
    """Compress only for a client that says it can undo it."""
    if "gzip" in (handler.headers.get("Accept-Encoding") or ""):
        body = gzip.compress(b"compressed")
        _plain(handler, Reply(200, body, {"Content-Encoding": "gzip", "Content-Type": "text/plain"}))
    else:
        _plain(handler, text("compressed", "text/plain"))


def _slow(handler: _Handler, reply: Reply) -> None:
    handler.server.stopping.wait(reply.pause)
    handler.close_connection = True


def _reset(handler: _Handler, reply: Reply) -> None:
    """Close with RST, as a crashed peer does."""
    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    handler.connection.close()
    handler.close_connection = True


def _hang_up(handler: _Handler, reply: Reply) -> None:
    handler.close_connection = True


def _bad_status_line(handler: _Handler, reply: Reply) -> None:
    handler.wfile.write(b"this is not HTTP\r\n\r\n")
    handler.close_connection = True


SPECIAL: dict[str, Callable[[_Handler, Reply], None]] = {
    "gzip": _gzip,
    "slow": _slow,
    "reset": _reset,
    "hang-up": _hang_up,
    "bad-status-line": _bad_status_line,
}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.stopping = threading.Event()
        self._lock = threading.Condition()
        self._reading = 0
        self._recordings: list[Recording] = []
        self.connections = 0

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    @contextmanager
    def reading(self) -> Iterator[None]:
        """While a request's body is still coming: a client that gave up half-way is recorded late."""
        with self._lock:
            self._reading += 1
        try:
            yield
        finally:
            with self._lock:
                self._reading -= 1
                self._lock.notify_all()

    def record(self, recording: Recording) -> None:
        with self._lock:
            self._recordings.append(recording)

    def take(self) -> list[Recording]:
        with self._lock:
            self._lock.wait_for(lambda: not self._reading, timeout=2.0)
            taken, self._recordings = self._recordings, []
        return taken

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A peer that went away is part of the script."""


class Backend:
    """The server in a thread of its own; services are called one after the other, so a call's recordings
    are those taken between its start and its end."""

    def __init__(self) -> None:
        self._server = _Server()
        self.port: int = self._server.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def take(self) -> list[Recording]:
        """The requests since the last time."""
        return self._server.take()

    def connections(self) -> int:
        """How many have been opened so far."""
        return self._server.connections

    def stop(self) -> None:
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
