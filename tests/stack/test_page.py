"""A customer uses the page, in a browser, against the whole system. `make test-browser` looks at every screen."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from local.demo.seeding import PASSWORD
from local.stack import Stack
from tests.browser.harness import Visitor, browser, visitor

__all__ = ["browser"]

ACCOUNT = "harbour-and-hound"

FIRST_VIEW_BYTES_MAX = 40 * 1024
"""Of script and style, as they are sent: what a customer with a slow connection waits for."""


@pytest.fixture
def eleanor(stack: Stack, browser: Browser) -> Iterator[Visitor]:
    """The admin of Harbour & Hound, in front of the page. The page may report no fault."""
    person = visitor(stack, browser)
    yield person
    sys.stdout.write(person.page.inner_text("body"))  # which pytest shows of a failed test alone
    person.context.close()
    assert person.faults == []


def test_a_customer_reads_changes_and_cancels(eleanor: Visitor) -> None:
    page = eleanor.page
    eleanor.log_in("eleanor@harbour.example", PASSWORD, f"{ACCOUNT}/billing")

    # The link of a mail led to the log-in, and from there to its screen.
    eleanor.heading("Billing")
    expect(page.get_by_role("heading", name="Payment details")).to_be_visible()
    assert eleanor.loaded() <= FIRST_VIEW_BYTES_MAX
    assert eleanor.asked() == ["/v1/accounts", f"/v1/accounts/{ACCOUNT}/billing"]

    page.get_by_role("link", name="Edit: Contact").click()
    phone = page.get_by_label("Phone")
    phone.fill("+44 20 7946 0999")
    page.get_by_role("button", name="Save").click()
    eleanor.heading("Billing")
    expect(page.get_by_text("+44 20 7946 0999")).to_be_visible()
    for name in ("Current subscription", "Invoices", "Billing information", "Payment details"):
        expect(page.get_by_role("heading", name=name, exact=True)).to_be_visible()
    assert page.title().startswith("Billing ")
    eleanor.accessible()
    eleanor.fits()

    page.keyboard.press("/")
    page.get_by_role("searchbox").fill("utenti")
    page.keyboard.press("Enter")
    eleanor.heading("Users")
    expect(page.get_by_role("table")).to_contain_text("eleanor@harbour.example")

    page.get_by_label("Language").select_option("it")
    eleanor.heading("Utenti")
    page.get_by_label("Lingua").select_option("en")

    eleanor.open(f"{ACCOUNT}/cancellation")
    send = page.get_by_role("button", name="I understand - cancel the subscription now!")
    send.click()
    expect(page.get_by_text("Tick the box first.")).to_be_visible()
    page.get_by_label("Choose a reason").select_option("too_expensive")
    page.get_by_label("In a few words").fill("We move to another shop system.")
    page.get_by_label("I have read it").check()
    send.click()
    expect(page.get_by_role("heading", name="The subscription is cancelled")).to_be_visible()
    expect(page.get_by_text(re.compile("The subscription is cancelled. It is active until"))).to_be_visible()
    page.get_by_role("button", name="Take the cancellation back").click()
    expect(page.get_by_text("The cancellation is taken back.")).to_be_visible()

    page.get_by_role("button", name="Log out").click()
    page.wait_for_url("**/oauth2/**")
