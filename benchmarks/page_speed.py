"""How long the screens of the billing page take on a slow line, in the browser of the tests against the running stack.

The line has 1.6 Mbit/s and 150 ms, the processor a quarter of this machine's speed. The browser's cache is empty.
The person is logged in: the page renews the session first, as after a reload. A screen is usable when it has its
heading and waits for nothing more.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from urllib.parse import urlsplit

from playwright.sync_api import Browser, CDPSession, Page, Request

from local.demo.companies import COMPANIES
from local.demo.seeding import PASSWORD
from local.stack import Stack
from tests.browser.browsers import find
from tests.browser.harness import Visitor, launched, visitor

SCREENS = ("billing", "overview", "invoices", "usage", "reduction", "decisions", "users", "cancellation")
LIMIT_SECONDS = 1.5
"""The limit for the screen `billing`."""

BYTES_PER_SECOND = 1_600_000 / 8
LATENCY_MILLISECONDS = 150
SLOWER = 4

_USABLE = """() =>
  document.querySelector("#content h1") && !document.querySelector(".wait") && performance.now() / 1000"""


@dataclass(frozen=True, slots=True)
class Seen:
    """A screen as a person with a slow line gets it."""

    screen: str
    usable_seconds: float
    """From the click on the link, the median of the rounds."""

    longest_seconds: float
    api_requests: int
    requests: int
    """All, with the files of the page."""


def measured_by_a_browser_of_its_own(stack: Stack, rounds: int) -> list[Seen]:
    """Each screen as an admin sees it. Raises NoBrowser."""
    with launched(find()) as browser:
        return measured(stack, browser, rounds)


def measured(stack: Stack, browser: Browser, rounds: int) -> list[Seen]:
    """Each screen as an admin sees it."""
    company = COMPANIES[0]
    person = visitor(stack, browser)
    person.log_in(company.admin.email, PASSWORD, f"{company.account}/billing")
    person.heading("Billing")
    session = person.context.new_cdp_session(person.page)
    _slow_down(session)
    seen = [_seen(person, session, company.account, screen, rounds) for screen in SCREENS]
    person.context.close()
    return seen


def _slow_down(session: CDPSession) -> None:
    session.send("Network.enable")
    line = {"downloadThroughput": BYTES_PER_SECOND, "uploadThroughput": BYTES_PER_SECOND}
    session.send("Network.emulateNetworkConditions", {"offline": False, "latency": LATENCY_MILLISECONDS, **line})
    session.send("Emulation.setCPUThrottlingRate", {"rate": SLOWER})


def _seen(person: Visitor, session: CDPSession, account: str, screen: str, rounds: int) -> Seen:
    seconds: list[float] = []
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(urlsplit(request.url).path)

    person.page.on("request", note)
    for _ in range(rounds):
        person.page.goto("about:blank")
        session.send("Network.clearBrowserCache")
        asked.clear()
        person.open(f"{account}/{screen}")
        seconds.append(_usable(person.page))
    person.page.remove_listener("request", note)
    api = [path for path in asked if path.startswith("/v1/")]
    return Seen(screen, median(seconds), max(seconds), len(api), len(asked))


def _usable(page: Page) -> float:
    usable: float = page.wait_for_function(_USABLE, timeout=30_000).json_value()
    return usable


def table(seen: list[Seen]) -> str:
    """The screens as text."""
    width = max(len(each.screen) for each in seen)
    lines = [f"  {'':{width}}  usable s  longest s  requests of the API  all requests"]
    lines += [
        f"  {each.screen:{width}}  {each.usable_seconds:8.2f}  {each.longest_seconds:9.2f}  {each.api_requests:19}"
        f"  {each.requests:12}"
        for each in seen
    ]
    return "\n".join(lines)
