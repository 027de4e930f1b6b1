"""`python -m local.vies`: runs the stand-in as a process of its own."""

from __future__ import annotations

import argparse
import json
import signal
import threading
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.local_server import tell_listening
from local.settings import HOST
from local.vies.service import Vies


def server(vies: Vies, port: int) -> ThreadingHTTPServer:
    """The server on a port of this machine, before it serves."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = vies.handle(self.command, self.path, headers, body)
            content = json.dumps(answer.body).encode()
            self.send_response(answer.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Logs nothing: a question names a customer."""

        do_GET = do_POST = _serve  # noqa: N815 - the names that http.server calls

    return ThreadingHTTPServer((HOST, port), Handler)


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local.vies")
    parser.add_argument("--port", type=int, required=True)
    serving = server(Vies(lambda: datetime.now(UTC)), parser.parse_args().port)
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=serving.shutdown).start())
    tell_listening()
    with serving:
        serving.serve_forever()


if __name__ == "__main__":
    main()
