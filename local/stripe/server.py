"""The stand-in as a local server, with its switches under /_test, and webhooks with retries."""

from __future__ import annotations

import json
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from local.local_server import tell_listening
from local.settings import HOST
from local.state_files import read_json, write_json
from local.stripe.answers import Answer, Refused
from local.stripe.api import Stripe
from local.stripe.elements import file_at
from local.stripe.webhooks import signature

DELIVERY_SECONDS = 0.2
RETRY_SECONDS = 2.0
DELIVERY_TIMEOUT_SECONDS = 20

DAMAGED_REMEDY = "Remove it to begin with an empty account at Stripe; make clean forgets everything."


@dataclass(frozen=True, slots=True)
class Webhook:
    """The address that events are sent to, and the secret that signs them."""

    url: str
    secret: str


class StandIn:
    """A Stripe account with a lock, a file, and the delivery of its events."""

    def __init__(self, stripe: Stripe, webhook: Webhook, file: Path | None, page: str = "'none'") -> None:
        """`page` is the origin of the page that may show the card form; no page may by default."""
        self._stripe, self._webhook, self._file, self.page = stripe, webhook, file, page
        self._lock = threading.Lock()
        self._paused = False
        self._ended = threading.Event()
        if file is not None and (saved := read_json(file, DAMAGED_REMEDY)) is not None:
            restore(stripe, saved)

    def handle(self, method: str, url: str, headers: dict[str, str], body: str) -> Answer:
        """Answers a request of the API or of a switch."""
        with self._lock:
            try:
                answer = (
                    self._switch(method, url, json.loads(body or "{}"))
                    if url.startswith("/_test/")
                    else self._stripe.handle(method, url, headers, body)
                )
            except Refused as refused:
                answer = Answer(refused.status, refused.body)
            if method != "GET":
                failure = self._save()
                if failure and url == "/_test/keep":
                    answer = Answer(HTTPStatus.INSUFFICIENT_STORAGE, {"error": {"message": failure}})
        return answer

    def deliver(self) -> None:
        """Delivers events in order until `end` is called. A failed delivery is tried again after RETRY_SECONDS."""
        while not self._ended.wait(DELIVERY_SECONDS):
            if self._paused:
                continue
            for event in [*self._stripe.undelivered]:
                if not self._deliver_one(event):
                    self._ended.wait(RETRY_SECONDS)
                    break

    def end(self) -> None:
        """Ends the delivery."""
        self._ended.set()

    def _deliver_one(self, event: str) -> bool:
        webhook = self._webhook
        with self._lock:
            payload = json.dumps(self._stripe.objects["event"][event]).encode()
        headers = {
            "Content-Type": "application/json",
            "Stripe-Signature": signature(payload, webhook.secret, int(time.time())),
        }
        request = urllib.request.Request(webhook.url, payload, headers)  # noqa: S310 - the address is ours
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=DELIVERY_TIMEOUT_SECONDS):
                pass
        except (urllib.error.URLError, OSError):
            return False
        with self._lock:
            if event in self._stripe.undelivered:
                self._stripe.undelivered.remove(event)
            self._save()
        return True

    def _switch(self, method: str, url: str, given: dict[str, Any]) -> Answer:
        stripe = self._stripe
        _, _, *parts = url.partition("?")[0].split("/")
        match (method, *parts):
            case ("GET", "requests"):
                return _answer({"data": stripe.requests})
            case ("POST", "setup_intents", identity, "authenticate"):
                return _answer(stripe.authenticate_setup(identity, succeed=given.get("succeed", True)))
            case ("POST", "payment_intents", identity, "authenticate"):
                return _answer(stripe.authenticate_payment(identity, succeed=given.get("succeed", True)))
            case ("POST", "payment_intents", identity, "settle"):
                code = given.get("code", "insufficient_funds")
                return _answer(stripe.settle(identity, succeed=given.get("succeed", True), code=code))
            case ("POST", "payment_intents", identity, "cancel_processing"):
                return _answer(stripe.cancel_processing(identity))
            case ("POST", "mandates", identity, "revoke"):
                return _answer(stripe.revoke_mandate(identity))
            case ("POST", "payment_methods", identity, "automatically_update"):
                return _answer(stripe.automatically_update(identity, given))
            case ("POST", "disputes"):
                return _answer(
                    stripe.dispute(given["payment_intent"], given.get("amount"), given.get("reason", "fraudulent"))
                )
            case ("POST", "disputes", identity, "close"):
                return _answer(stripe.close_dispute(identity, won=bool(given["won"])))
            case ("POST", "refunds", identity, "settle"):
                return _answer(stripe.settle_refund(identity, succeed=given.get("succeed", True)))
            case ("POST", "faults"):
                stripe.faults.append(given)
                return _answer({"faults": stripe.faults})
            case ("DELETE", "faults"):
                stripe.faults.clear()
                return _answer({"faults": []})
            case ("POST", "webhooks"):
                self._paused = bool(given["paused"])
                return _answer({"paused": self._paused})
            case ("POST", "webhooks", event, "redeliver"):
                stripe.undelivered.append(event)
                return _answer({"undelivered": stripe.undelivered})
            case ("POST", "keep"):
                return _answer({"kept": True})
            case ("DELETE", "idempotency_keys"):
                stripe.keys.clear()
                return _answer({"keys": 0})
            case _:
                return Answer(HTTPStatus.NOT_FOUND, {"error": {"message": f"There is no switch {url}."}})

    def _save(self) -> str:
        """Saves the account to its file. Returns the error, empty if there is none; the next request tries again."""
        if self._file is not None:
            try:
                write_json(self._file, _to_save(self._stripe))
            except OSError as failure:
                return str(failure)
        return ""


def server(stand_in: StandIn, port: int) -> ThreadingHTTPServer:
    """The server on a port of this machine, before it serves."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            file = file_at(self.path.partition("?")[0], stand_in.page) if self.command == "GET" else None
            if file is not None:
                self._send(HTTPStatus.OK, file.headers, file.content)
                return
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = stand_in.handle(self.command, self.path, headers, body)
            if answer.delay:
                time.sleep(answer.delay)
            if answer.lost:
                self.close_connection = True
                return
            # The page in the browser has another origin.
            headers_to_send = {**answer.headers, "Content-Type": "application/json", "Access-Control-Allow-Origin": "*"}
            self._send(answer.status, headers_to_send, json.dumps(answer.body).encode())

        def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the names that http.server calls

        def log_message(self, *_: object) -> None:
            """Logs nothing: requests hold card numbers."""

    return ThreadingHTTPServer((HOST, port), Handler)


def serve(stand_in: StandIn, port: int, until: Callable[[], object]) -> None:
    """Serves requests and delivers events until `until` returns."""
    running = server(stand_in, port)
    tell_listening()
    for work in (running.serve_forever, stand_in.deliver):
        threading.Thread(target=work, daemon=True).start()
    until()
    stand_in.end()
    running.shutdown()
    running.server_close()


_SAVED_FIELDS = ("objects", "numbers", "keys", "undelivered", "counter")


def _to_save(stripe: Stripe) -> dict[str, Any]:
    return {**{name: getattr(stripe, name) for name in _SAVED_FIELDS}, "used": sorted(stripe.used)}


def restore(stripe: Stripe, saved: dict[str, Any]) -> None:
    """Gives the account what a stand-in has saved, also one of an earlier release."""
    for name in _SAVED_FIELDS:
        setattr(stripe, name, saved[name])
    stripe.objects.setdefault("mandate", {})  # saved before there were mandates
    for key in stripe.keys.values():
        key.setdefault("created", 0)  # saved before keys expired: 0 makes them expire at once
    stripe.used = set(saved["used"])


def _answer(body: dict[str, Any]) -> Answer:
    return Answer(HTTPStatus.OK, body)
