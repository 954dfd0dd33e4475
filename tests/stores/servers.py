"""Starts the object stores that tests talk to, runs a command beside them, and stops them.

    servers.py TOOLS COMMAND...

The command finds in its environment FLIGHTDECK_TEST_S3, FLIGHTDECK_TEST_GCS and FLIGHTDECK_TEST_AZURE: the
endpoints, and FLIGHTDECK_TEST_AZURE_SAS, a shared access signature. In each there is a bucket (container) named
flightdeck.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from email.utils import formatdate
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))

from ports import free_port  # noqa: E402

START_LIMIT = 60.0
BUCKET = "flightdeck"

AZURE_ACCOUNT = "devstoreaccount1"
AZURE_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
"""The account and the key that every azurite has; no secret."""


class StartError(Exception):
    """A server did not come up."""


def send(method: str, url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> None:
    request = urllib.request.Request(url, data=body, method=method, headers=headers or {})
    no_proxy = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with no_proxy.open(request, timeout=5) as reply:
        reply.read()


def make_s3_bucket(endpoint: str) -> None:
    send("PUT", f"{endpoint}/{BUCKET}")


def make_gcs_bucket(endpoint: str) -> None:
    body = json.dumps({"name": BUCKET}).encode()
    send("POST", f"{endpoint}/storage/v1/b?project=test", body, {"Content-Type": "application/json"})


def make_azure_container(endpoint: str) -> None:
    """A container, asked for with the account's key: azurite makes none on its command line."""
    date, version = formatdate(usegmt=True), "2021-08-06"
    headers = f"x-ms-date:{date}\nx-ms-version:{version}\n"
    resource = f"/{AZURE_ACCOUNT}/{AZURE_ACCOUNT}/{BUCKET}\nrestype:container"
    text = "PUT" + "\n" * 12 + headers + resource
    digest = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()
    signature = base64.b64encode(digest).decode()
    given = {
        "Authorization": f"SharedKey {AZURE_ACCOUNT}:{signature}",
        "x-ms-date": date,
        "x-ms-version": version,
    }
    send("PUT", f"{endpoint}/{BUCKET}?restype=container", None, given)


def azure_sas() -> str:
    """A signature with which the tests write blobs without signing each request."""
    version, expiry = "2020-08-04", "2099-01-01T00:00:00Z"
    text = f"{AZURE_ACCOUNT}\nrwdlac\nb\nsco\n\n{expiry}\n\nhttps,http\n{version}\n"
    digest = hmac.new(base64.b64decode(AZURE_KEY), text.encode(), hashlib.sha256).digest()
    fields = {"sv": version, "ss": "b", "srt": "sco", "sp": "rwdlac", "se": expiry, "spr": "https,http"}
    return urllib.parse.urlencode(fields | {"sig": base64.b64encode(digest).decode()})


class Server:
    """One store in a process of its own."""

    def __init__(self, name: str, command: list[str], endpoint: str, folder: Path) -> None:
        self.name, self.endpoint = name, endpoint
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )

    def prepare(self, make_bucket: Callable[[str], None]) -> None:
        """Make the bucket as soon as the server answers."""
        end = time.monotonic() + START_LIMIT
        while True:
            try:
                return make_bucket(self.endpoint)
            except urllib.error.HTTPError as error:
                cause = f"{error}: {error.read()[:500]!r}"
            except OSError as error:
                cause = str(error)
            if self._process.poll() is not None or time.monotonic() > end:
                text = self.log.read_text(errors="replace")[-2000:]
                raise StartError(f"{self.name} did not come up: {cause}\n{text}")
            time.sleep(0.1)

    def stop(self) -> None:
        try:
            os.killpg(self._process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self._process.wait(5)


def start(tools: Path, folder: Path, started: list[Server]) -> dict[str, str]:
    """Start all; what was started is in the list, also when the next one fails."""
    ports = [free_port() for _ in range(3)]
    s3, gcs, azure = (f"http://127.0.0.1:{port}" for port in ports)
    azure = f"{azure}/{AZURE_ACCOUNT}"
    moto = [str(tools / "venv/bin/moto_server"), "-H", "127.0.0.1", "-p", str(ports[0])]
    fake_gcs = [str(tools / "bin/fake-gcs-server"), "-backend", "memory", "-scheme", "http"]
    fake_gcs += ["-host", "127.0.0.1", "-port", str(ports[1]), "-external-url", gcs, "-public-host", f"127.0.0.1:{ports[1]}"]
    azurite = ["node", str(tools / "npm/node_modules/azurite/dist/src/blob/main.js"), "--inMemoryPersistence"]
    azurite += ["--silent", "--skipApiVersionCheck", "--disableTelemetry"]
    azurite += ["--blobHost", "127.0.0.1", "--blobPort", str(ports[2])]
    for name, command, endpoint in [("s3", moto, s3), ("gcs", fake_gcs, gcs), ("azure", azurite, azure)]:
        started.append(Server(name, command, endpoint, folder))
    makers = {"s3": make_s3_bucket, "gcs": make_gcs_bucket, "azure": make_azure_container}
    for server in started:
        server.prepare(makers[server.name])
    endpoints = {f"FLIGHTDECK_TEST_{server.name.upper()}": server.endpoint for server in started}
    return endpoints | {"FLIGHTDECK_TEST_AZURE_SAS": azure_sas()}


def main() -> int:
    tools, command = Path(sys.argv[1]), sys.argv[2:]
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    started: list[Server] = []
    with tempfile.TemporaryDirectory(prefix="flightdeck-stores-") as folder:
        try:
            endpoints = start(tools, Path(folder), started)
            return subprocess.run(command, env=os.environ | endpoints).returncode
        except StartError as error:
            print(f"stores: {error}", file=sys.stderr)
            return 2
        finally:
            for server in started:
                server.stop()


if __name__ == "__main__":
    sys.exit(main())
