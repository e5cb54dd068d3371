"""A real receiver of webhooks that can be slow, refuse, and send the caller elsewhere."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Listener:
    """A webhook receiver that keeps what it got and answers what it is told to."""

    def __init__(self):
        self.bodies: list[dict] = []
        self.paths: list[str] = []
        self.answers: list[int] = []
        self.slow = 0.0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["content-length"]))
                outer.paths.append(self.path)
                outer.bodies.append(json.loads(body))
                time.sleep(outer.slow)
                try:
                    self.send_response(outer.answers.pop(0) if outer.answers else 200)
                    self.send_header("location", f"{outer.url}/moved")
                    self.end_headers()
                except OSError:
                    return

            def log_message(self, *_):
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/hook"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        """Take no more."""
        self.server.shutdown()
        self.server.server_close()

    def wait(self, count, seconds=5.0):
        """The bodies, once there are that many."""
        end = time.monotonic() + seconds
        while len(self.bodies) < count and time.monotonic() < end:
            time.sleep(0.01)
        assert len(self.bodies) >= count, self.bodies
        return self.bodies
