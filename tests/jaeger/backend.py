"""A backend of jobs over HTTP, which does what it is told."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Backend:
    """Jobs by the name in their task's custom: a state, or a status of HTTP."""

    def __init__(self):
        self.states = {}
        self.polls = {}
        backend = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                self.answer(200, {"id": body["name"]})

            def do_GET(self):
                name = self.path.rsplit("/", 1)[-1]
                backend.polls[name] = backend.polls.get(name, 0) + 1
                state = backend.states.get(name, "RUNNING")
                if isinstance(state, int):
                    self.answer(state, {"error": "not now"})
                else:
                    self.answer(200, {"state": state, "message": f"it is {state}"})

            def do_DELETE(self):
                self.answer(200, {})

            def answer(self, status, body):
                body = json.dumps(body).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server.server_port}"
