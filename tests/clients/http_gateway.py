"""Serves the functions over HTTP as API Gateway does, as far as a client can see."""

from __future__ import annotations

import base64
import importlib
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aws_lambda_powertools.utilities.typing import LambdaContext

from tests.api_gateway import Handler, request
from tests.template import resources


def routes() -> list[tuple[str, str, Handler]]:
    """Returns method, path and handler of every route of template.yaml, in the order to match them."""
    all_routes = []
    for resource in resources().values():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] == "Api":
                name = resource["Properties"]["CodeUri"].removeprefix("functions/")
                handler = importlib.import_module(f"functions.{name}.app").handler
                all_routes.append((event["Properties"]["Method"], event["Properties"]["Path"], handler))
    # API Gateway prefers a literal path to one with a variable.
    return sorted(all_routes, key=lambda route: route[1].replace("{", "~"))


@contextmanager
def served(claims: dict[str, dict[str, str]]) -> Iterator[str]:
    """Serves the API and yields its base URL. `claims` has the claims of each bearer token."""
    all_routes = routes()

    class Visit(BaseHTTPRequestHandler):
        def answer(self) -> None:
            asked = urlsplit(self.path.removeprefix("/v1"))
            for method, route, handler in all_routes:
                pattern = re.sub(r"{(\w+)}", r"(?P<\1>[^/]+)", route)
                if method == self.command and (match := re.fullmatch(pattern, asked.path)):
                    return self.hand_over(handler, route, match.groupdict(), dict(parse_qsl(asked.query)))
            return self.reply(403, {"Content-Type": "application/json"}, b"{}")

        do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815 - the library's names

        def hand_over(self, handler: Handler, route: str, path: dict[str, str], query: dict[str, str]) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
            event = request(
                self.command,
                route,
                claims=claims.get(self.headers.get("Authorization", "").removeprefix("Bearer ")),
                path={name: unquote(value) for name, value in path.items()} or None,
                body=body or None,
                query=query or None,
                headers=dict(self.headers.items()),
            )
            given: dict[str, Any] = handler(event, LambdaContext())
            content = given.get("body") or ""
            raw = base64.b64decode(content) if given.get("isBase64Encoded") else content.encode()
            headers = {name: values[0] for name, values in given.get("multiValueHeaders", {}).items()}
            self.reply(int(given["statusCode"]), headers | given.get("headers", {}), raw)

        def reply(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Logs no request."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Visit) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
