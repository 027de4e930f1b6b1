"""The single address of a local Livello: the billing page, the API, log-in and the sent mail, in one web origin.

    /, /assets/*              the billing page: see local.portal_files
    /v1/*                     the API, forwarded to its stage of the emulated gateway
    /oauth2/*, /login, …      log-in with a browser: see local.sign_in_pages
    POST /auth                Cognito's unsigned actions for a browser: log in, reset a password
    POST /auth/oauth2/token   a machine's token
    /mail, /mail.json         the mail that the emulated AWS has sent: see local.mail_pages

It forwards at most REQUESTS_AT_ONCE_MAX requests at once, because the emulator starts a process for each. The page's
files do not wait for a turn.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import http.server
import json
import signal
import threading
import time
import zlib
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from billing.platform.http.media_types import XLSX
from botocore.exceptions import BotoCoreError, ClientError

from local.deployment import DeployedStack, deployed_stack
from local.local_server import tell_listening
from local.mail_folder import MailFolder
from local.mail_pages import mail_reply
from local.mailbox import Mailbox
from local.portal_files import PageConfiguration, PortalFiles, content_security_policy
from local.replies import Refused, Reply
from local.settings import HOST, HTTP_PORT, PORTAL, Settings
from local.sign_in_pages import Asked, SignInPages
from local.stripe.process import KEYS

REQUESTS_AT_ONCE_MAX = 4
UPSTREAM_SECONDS_MAX = 60
CLIENT_SECONDS_MAX = 60
BODY_BYTES_MAX = 10 * 1024 * 1024
"""The limit of the API gateway of AWS. The emulated gateway has none."""

STACK_SECONDS_MAX = 2
"""How long the description of the stack is cached. A deployment that changes a route changes the API's id."""

COGNITO_TARGET = "AWSCognitoIdentityProviderService."
PUBLIC_COGNITO_ACTIONS = frozenset(
    {
        "ChangePassword",
        "ConfirmForgotPassword",
        "ForgotPassword",
        "GetUser",
        "GlobalSignOut",
        "InitiateAuth",
        "RespondToAuthChallenge",
        "RevokeToken",
    }
)
"""Every other action of the emulated Cognito is refused."""

_ZIP = b"PK"
"""What the bytes of a workbook begin with."""

_HOP_BY_HOP = frozenset(
    {"connection", "content-length", "date", "host", "keep-alive", "server", "transfer-encoding", "upgrade"}
)


@dataclass(slots=True)
class Upstream:
    """The emulated AWS behind the front door."""

    settings: Settings
    _turn: threading.BoundedSemaphore = field(default_factory=lambda: threading.BoundedSemaphore(REQUESTS_AT_ONCE_MAX))
    _stack: DeployedStack | None = None
    _stack_read_at: float = float("-inf")
    _reading: threading.Lock = field(default_factory=threading.Lock)

    def api(self) -> str:
        """The API's id. Raises Refused (503) if the stack is not deployed."""
        return self.stack().outputs["ApiId"]

    def page_configuration(self) -> PageConfiguration:
        """The configuration of the billing page. Raises Refused (503) if the stack is not deployed."""
        stack = self.stack()
        return PageConfiguration(
            vendor=stack.parameters["VendorName"],
            client_id=stack.outputs["BillingPageClientId"],
            login=self.settings.address,
            stripe_script=f"{self.settings.stripe_address}/v3/",
            stripe_key=KEYS["publishable_key"],
            support=stack.parameters["ReplyToAddress"] or stack.parameters["SenderAddress"],
        )

    def stack(self) -> DeployedStack:
        """The deployed stack, cached for STACK_SECONDS_MAX. Raises Refused (503) if it is not deployed."""
        with self._reading:
            if self._stack is None or time.monotonic() - self._stack_read_at > STACK_SECONDS_MAX:
                self._stack = None
                try:
                    stack = deployed_stack(self.settings)
                except (BotoCoreError, ClientError) as failure:
                    raise _not_deployed() from failure
                if not stack.outputs:  # its first deployment is under way, or has failed
                    raise _not_deployed()
                self._stack, self._stack_read_at = stack, time.monotonic()
            return self._stack

    def forward(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Reply:
        """Forwards a request to the emulated AWS. Raises Refused (503, 504) if it does not answer."""
        with self._turn:
            connection = http.client.HTTPConnection(HOST, self.settings.cloud_port, timeout=UPSTREAM_SECONDS_MAX)
            try:
                connection.request(method, path, body, headers)
                response = connection.getresponse()
                content = response.read()
            except TimeoutError as failure:
                raise Refused(HTTPStatus.GATEWAY_TIMEOUT, "The emulated AWS takes too long.") from failure
            except (OSError, http.client.HTTPException) as failure:
                raise Refused(HTTPStatus.SERVICE_UNAVAILABLE, "The emulated AWS does not answer: make run") from failure
            finally:
                connection.close()
        return Reply(response.status, _end_to_end(response.getheaders()), content)

    def ses_messages(self) -> list[dict[str, Any]]:
        """The emulated SES's record of sent messages, since it started; empty if it does not answer."""
        try:
            reply = self.forward("GET", "/_ministack/ses/messages", {}, None)
        except Refused:
            return []
        return [message for sent in json.loads(reply.body)["messages"].values() for message in sent]


def _not_deployed() -> Refused:
    return Refused(HTTPStatus.SERVICE_UNAVAILABLE, "Livello is not deployed here, or not running: make run")


class FrontDoor(http.server.ThreadingHTTPServer):
    """The HTTP server. Listens only on this machine."""

    daemon_threads = True

    def __init__(self, settings: Settings, portal: Path = PORTAL) -> None:
        super().__init__((HOST, settings.front_door_port), Visit)
        self.upstream = Upstream(settings)
        self.files = PortalFiles(portal, content_security_policy(settings.stripe_address))
        self.sign_in = SignInPages(
            self.upstream.forward,
            lambda: self.upstream.stack().parameters["VendorName"],
            settings.address,
            settings.cloud_address,
        )
        self.mailbox = Mailbox(MailFolder(settings.mail_folder), self.upstream.ses_messages)
        names = (HOST, "localhost")
        self.hosts = {f"{name}:{settings.front_door_port}" for name in names}
        if settings.front_door_port == HTTP_PORT:
            self.hosts.update(names)


class Visit(http.server.BaseHTTPRequestHandler):
    """The requests of one connection."""

    server: FrontDoor
    server_version = "Livello"
    sys_version = ""
    protocol_version = "HTTP/1.1"
    timeout = CLIENT_SECONDS_MAX
    # Without these two, each response is several packets, and waits 40 ms for the client's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self) -> None:
        """Answers one request."""
        try:
            reply = self._reply()
        except Refused as refusal:
            reply = refusal.reply()
            self.close_connection = True  # the unread rest of a body must not be parsed as the next request
        self.send_response(reply.status)
        for name, value in reply.headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer  # noqa: N815 - the library's names

    def log_message(self, *_: object) -> None:
        """Logs nothing: paths and headers may hold personal data."""

    def _reply(self) -> Reply:
        if self.headers.get("Host") not in self.server.hosts:
            # DNS rebinding: a foreign page can point its own name at this address, and would share the origin.
            raise Refused(HTTPStatus.MISDIRECTED_REQUEST, "This is not the name of this server.")
        upstream = self.server.upstream
        body = self._body()
        headers = dict(_end_to_end(self.headers.items()))
        route = self.path.partition("?")[0]
        if route.startswith("/v1/"):
            body = decoded(body, self.headers.get("Content-Encoding"))
            path = f"/_aws/execute-api/{upstream.api()}{self.path}"
            return with_bytes(upstream.forward(self.command, path, headers, body))
        if (self.command, route.rstrip("/")) == ("POST", "/auth"):
            return upstream.forward("POST", "/", self._public(headers), body)
        if (self.command, route) == ("POST", "/auth/oauth2/token"):
            return upstream.forward("POST", "/oauth2/token", headers, body)
        if (reply := self.server.sign_in.reply(Asked(self.command, self.path, headers, body))) is not None:
            return reply
        reply = self._page(route) if self.command in {"GET", "HEAD"} else None
        if reply is None:
            raise Refused(
                HTTPStatus.NOT_FOUND, "Here are: /, /v1/openapi.json, /v1/…, /auth, /auth/oauth2/token, /mail."
            )
        return reply

    def _page(self, route: str) -> Reply | None:
        """The reply to GET of the mailbox or of the billing page; None if neither has the path."""
        if (reply := mail_reply(self.server.mailbox, self.path)) is not None:
            return reply
        settings = self.server.upstream.settings
        if route == "/" and self.headers["Host"].partition(":")[0] != HOST:
            # People log in at one origin only, which is the one that may call the API.
            return Reply(HTTPStatus.FOUND, [("Location", f"{settings.address}{self.path}")], b"")
        encoding = self.headers.get("Accept-Encoding")
        return self.server.files.reply(route, encoding, self.server.upstream.page_configuration)

    def _body(self) -> bytes | None:
        if "Transfer-Encoding" in self.headers:
            raise Refused(HTTPStatus.LENGTH_REQUIRED, "The request must say its Content-Length.")
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal():
            raise Refused(HTTPStatus.BAD_REQUEST, "The Content-Length is not a number.")
        if int(length) > BODY_BYTES_MAX:
            raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
        return self.rfile.read(int(length)) or None

    def _public(self, headers: dict[str, str]) -> dict[str, str]:
        action = self.headers.get("X-Amz-Target", "").removeprefix(COGNITO_TARGET)
        if action not in PUBLIC_COGNITO_ACTIONS:
            raise Refused(HTTPStatus.FORBIDDEN, "X-Amz-Target does not name what may be asked here.")
        return headers


def decoded(body: bytes | None, coding: str | None) -> bytes | None:
    """The body as it is, after a content coding is undone: the gateway of AWS does this, the emulated one does not.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/api-gateway-make-request-with-compressed-payload.html
    Raises Refused (415) for another coding and for a body that does not have it, and (413) beyond the limit.
    """
    if body is None or coding is None or coding.strip().lower() == "identity":
        return body
    if coding.strip().lower() in {"gzip", "deflate"}:
        member = zlib.decompressobj(32 + zlib.MAX_WBITS)  # finds out which of the two it is
        with suppress(zlib.error):
            inflated = member.decompress(body, BODY_BYTES_MAX + 1)
            if len(inflated) > BODY_BYTES_MAX:
                raise Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large.")
            if member.eof:
                return inflated
    raise Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body does not have a Content-Encoding that is undone here.")


def with_bytes(reply: Reply) -> Reply:
    """The reply with a workbook as bytes. AWS compares the first media type of Accept with the gateway's binary ones;
    the emulated gateway the whole header, and sends the workbook as base64 where there are more."""
    headers = [*reply.headers]
    is_workbook = any(name.lower() == "content-type" and value == XLSX for name, value in headers)
    if not is_workbook or reply.body.startswith(_ZIP):
        return reply
    return Reply(reply.status, headers, base64.b64decode(reply.body))


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def main() -> None:
    """Serves until it is asked to end."""
    parser = argparse.ArgumentParser(prog="python -m local.front_door")
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--cloud-port", type=int, required=True)
    parser.add_argument("--stripe-port", type=int, required=True)
    parser.add_argument("--stack", required=True)
    given = parser.parse_args()
    settings = Settings(
        given.folder,
        given.folder,
        given.cloud_port,
        given.port,
        stripe_port=given.stripe_port,
        stack=given.stack,
    )
    with FrontDoor(settings) as door:
        # shutdown() waits for serve_forever(), which runs in this thread.
        signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=door.shutdown).start())
        tell_listening()
        door.serve_forever(poll_interval=0.1)


if __name__ == "__main__":
    main()
