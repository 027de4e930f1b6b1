"""People in front of the page who are logged in already, and answers of the API that a test changes.

The log-in pages are asked once per person and run of the tests: the refresh token is kept, and put into the tab of each
later browser profile, as if that tab had been reloaded.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, Page, Request, Route, expect

from local.demo.companies import COMPANIES, STAFF
from local.demo.seeding import PASSWORD
from local.stack import Stack
from tests.browser.harness import Visitor, visitor

NORDLYS, LUCCIOLA = COMPANIES[0], next(each for each in COMPANIES if each.language == "it")

EMAILS = {
    "admin": NORDLYS.admin.email,
    "member": NORDLYS.member.email,
    "staff": STAFF.email,
    "italian": LUCCIOLA.admin.email,
}

REQUEST = "8f14e45f-ceea-467f-a9e6-0b0b0b0b0b0b"
"""The id of each request that a test answers itself."""

HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "\u05e9\u05dc\u05d5\u05dd \u202eevil\u202c \u0628\u064a\u062a \u0627\u0644\u0642\u0647\u0648\u0629",
    "Donaudampfschifffahrtselektrizitätenhauptbetriebswerkbauunterbeamtengesellschaft" * 3,
)
"""Names that a company may have: markup, two that are read from the right, one of 240 characters without a space."""

_TOKENS: dict[tuple[str, str], str] = {}
"""Refresh tokens by the address of the stack and the e-mail address."""

_TAKE_UP = """
(token) => {
  if (window.top === window && location.origin === "ORIGIN" && !localStorage.getItem("tests.taken-up")) {
    sessionStorage.setItem("livello.refresh", token);
    localStorage.setItem("tests.taken-up", "1");
  }
}
"""


def logged_in(stack: Stack, browser: Browser, who: str, locale: str = "en-GB") -> Visitor:
    """A person with a browser profile of their own, and a session in its first tab."""
    email = EMAILS.get(who, who)
    key = stack.settings.address, email
    if key not in _TOKENS:
        _TOKENS[key] = _token(stack, browser, email)
    person = visitor(stack, browser, locale)
    script = _TAKE_UP.replace("ORIGIN", stack.settings.address)
    person.context.add_init_script(f"({script})({json.dumps(_TOKENS[key])})")
    return person


def _token(stack: Stack, browser: Browser, email: str) -> str:
    person = visitor(stack, browser)
    person.log_in(email, PASSWORD)
    expect(person.page.get_by_role("heading", level=1)).to_be_visible()
    token: str = person.page.evaluate("sessionStorage.getItem('livello.refresh')")
    person.context.close()
    return token


@dataclass
class Answers:
    """What the API answers to a page: its own answers changed, or others."""

    page: Page
    asked: list[Request] = field(default_factory=list)
    """The requests that were answered by the test, in their order."""

    def changed(self, path: str, change: Callable[[Any], Any], method: str = "GET") -> None:
        """The real answer of a path below /v1, a regular expression, after `change`, which may return another one."""

        def answer(route: Route) -> None:
            answered = route.fetch()
            body = answered.json()
            result = change(body)
            route.fulfill(response=answered, json=body if result is None else result)

        self._route(path, method, answer)

    def fixed(
        self,
        path: str,
        body: Any = None,
        status: int = 200,
        method: str = "GET",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Another answer: `body` as JSON, or what `body` makes of the request."""

        def answer(route: Route) -> None:
            made = body(route.request) if callable(body) else body
            route.fulfill(
                status=status, json=made, headers={"x-amzn-requestid": REQUEST, "etag": '"1"', **(headers or {})}
            )

        self._route(path, method, answer)

    def problem(self, path: str, status: int, code: str, method: str = "GET", **more: Any) -> None:
        """A problem document."""
        body = {"type": f"urn:livello:problem:{code}", "title": code, "status": status, "detail": "In English.", **more}
        self.fixed(path, body, status, method)

    def offline(self, path: str, method: str = "GET") -> None:
        """No answer."""
        self._route(path, method, lambda route: route.abort("internetdisconnected"))

    def _route(self, path: str, method: str, answer: Callable[[Route], None]) -> None:
        def handle(route: Route) -> None:
            if route.request.method != method:
                route.fallback()
                return
            self.asked.append(route.request)
            answer(route)

        self.page.route(re.compile(rf"/v1/{path}(\?[^/]*)?$"), handle)
