"""A browser that looks at the page: what the browser tests share.

A page fails its test if the browser reports an error, something that the policy refuses, or a request that has failed.
What the policy refuses, the browser writes to the console as an error.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
    expect,
    sync_playwright,
)

from local.stack import Stack
from tests.browser.browsers import Found, NoBrowser, find

expect.set_options(timeout=15_000)

WIDE = {"width": 1280, "height": 900}
NARROW = {"width": 320, "height": 700}
PICTURES = os.environ.get("LIVELLO_PICTURES")
"""A folder for a picture of each screen that a test looks at."""

_AXE = Path(__file__).parent / "tools" / "node_modules" / "axe-core" / "axe.min.js"
_JUDGE = """
async (options) => {
  const { violations } = await axe.run(document, options);
  const said = ({ target, failureSummary }) => `${target} ${failureSummary}`;
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(said).join("; ")}`);
}
"""
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "iframes": False,  # of another origin: axe would write an error for each to the console
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of the machine, or one from npm. Without one the test is skipped, and fails in CI."""
    try:
        found = find()
    except NoBrowser as error:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(str(error))
    with launched(found) as started:
        yield started


@contextmanager
def launched(found: Found) -> Iterator[Browser]:
    """A started browser. Chromium refuses to run as root with its sandbox, so only a person's run has one."""
    as_root = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=found.path, env={**os.environ, **found.environment}, args=as_root, timeout=60_000
        )
        yield started
        started.close()


@dataclass
class Visitor:
    """A person in front of the page."""

    stack: Stack
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)
    refused: set[int] = field(default_factory=lambda: {401, 403, 404, 409, 412, 422, 429, 503})
    """Statuses that a test brings about. The browser writes a line for each to the console."""

    def open(self, place: str = "") -> None:
        """Opens a screen by its address: `nordlys-kaffe/billing`."""
        self.page.goto(f"{self.stack.settings.address}/#/{place}")

    def log_in(self, email: str, password: str, place: str = "") -> None:
        """Opens a screen, and logs in on the way."""
        self.open(place)
        page = self.page
        page.wait_for_url("**/oauth2/**")
        page.locator("input:not([type=hidden])").first.fill(email)
        page.locator("button[type=submit], input[type=submit]").first.click()
        page.locator("input[type=password]").fill(password)
        page.locator("button[type=submit], input[type=submit]").first.click()
        # With the code, or already at the screen, whose address is behind the `#`.
        page.wait_for_url(re.compile(rf"^{re.escape(self.stack.settings.address)}/([?]code=.*)?(#.*)?$"))

    def heading(self, text: str) -> None:
        """Waits for the first heading of a screen."""
        expect(self.page.get_by_role("heading", level=1)).to_contain_text(text)

    def loaded(self) -> int:
        """The bytes of script and style that the page has loaded since it was opened, as they were sent."""
        sizes: int = self.page.evaluate(
            "performance.getEntriesByType('resource').filter(({ name }) => /[.](js|css)$/.test(name))"
            ".reduce((sum, { encodedBodySize }) => sum + encodedBodySize, 0)"
        )
        assert sizes > 0
        return sizes

    def asked(self) -> list[str]:
        """The paths of the API that the page has asked for since it was opened, sorted."""
        found: list[str] = self.page.evaluate(
            "performance.getEntriesByType('resource').map(({ name }) => new URL(name).pathname)"
            ".filter((path) => path.startsWith('/v1/'))"
        )
        return sorted(found)

    def accessible(self) -> None:
        """No violation of WCAG 2.2 AA or of best practice, in both themes."""
        for scheme in ("light", "dark"):
            self.page.emulate_media(color_scheme=scheme)
            assert self.violations() == [], scheme
        self.page.emulate_media(color_scheme=None)

    def violations(self) -> list[str]:
        """What axe finds. It runs in a world of its own, to which the policy of the page does not apply."""
        session = self.context.new_cdp_session(self.page)
        frame = session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = session.send("Page.createIsolatedWorld", {"frameId": frame, "worldName": "axe"})["executionContextId"]
        session.send("Runtime.evaluate", {"expression": _AXE.read_text("utf-8"), "contextId": world})
        found: dict[str, Any] = session.send(
            "Runtime.evaluate",
            {
                "expression": f"({_JUDGE})({json.dumps(RULES)})",
                "contextId": world,
                "awaitPromise": True,
                "returnByValue": True,
            },
        )
        session.detach()
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        result: list[str] = found["result"]["value"]
        return result

    def fits(self, width: int = 320) -> None:
        """Nothing is wider than a narrow screen."""
        self.page.set_viewport_size({"width": width, "height": 700})
        self.page.wait_for_timeout(100)
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{wide} px wide: " + str(
            self.page.evaluate(
                "(width) => [...document.querySelectorAll('body *')]"
                ".filter((each) => each.getBoundingClientRect().right > width + 1)"
                ".map((each) => each.outerHTML.slice(0, 120)).slice(-5)",
                width,
            )
        )
        self.page.set_viewport_size(WIDE)  # type: ignore[arg-type]

    def picture(self, name: str) -> None:
        """Keeps a picture of the screen, if LIVELLO_PICTURES names a folder."""
        if PICTURES:
            self.page.screenshot(path=Path(PICTURES) / f"{name}.png", full_page=True)


def visitor(stack: Stack, browser: Browser, locale: str = "en-GB") -> Visitor:
    """A person with a browser profile of their own."""
    context = browser.new_context(viewport=WIDE, locale=locale)  # type: ignore[arg-type]
    page = context.new_page()
    person = Visitor(stack, context, page)

    def said(message: ConsoleMessage) -> None:
        of_a_request = message.text.startswith("Failed to load resource")
        if message.type in {"error", "warning"} and not of_a_request:
            person.faults.append(f"console: {message.text}")

    def answered(response: Response) -> None:
        if response.status >= 400 and response.status not in person.refused:
            person.faults.append(f"{response.status}: {response.url.partition('?')[0]}")

    def failed(request: Request) -> None:
        # Who leaves a screen takes back what it still waits for.
        if request.failure != "net::ERR_ABORTED":
            person.faults.append(f"{request.failure}: {request.url.partition('?')[0]}")

    page.on("console", said)
    page.on("pageerror", lambda error: person.faults.append(f"error: {error}"))
    page.on("response", answered)
    page.on("requestfailed", failed)
    return person
