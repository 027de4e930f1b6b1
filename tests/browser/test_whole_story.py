"""The whole story of a company, by page and mailbox: from the invitation to the deletion, with a test clock."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from typing import Any

from playwright.sync_api import Page, expect

from local.background import wait_until
from local.demo.companies import COMPANIES
from local.stack import Stack
from local.stripe.browser import TEST_CARD
from tests.browser.harness import Visitor

Visit = Callable[..., Visitor]

SECONDS_MAX = 120
NEW_PASSWORD = "A password of 1 person"
SEND = "I understand - cancel the subscription now!"


class Company:
    """A company on a test clock, set up by staff, and the mail of its people."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack
        self.clock = uuid.uuid4().hex[:8]
        self.account = f"{self.clock}.shop"
        self.staff = stack.staff_token()
        self.now = datetime.now(UTC).replace(microsecond=0)
        self.ask(201, "POST", "test-clocks", {"test_clock": self.clock, "now": self.now.isoformat()})
        body = {
            **COMPANIES[0].provisioning(self.now.date()),
            "account": self.account,
            "name": "Ada's Shop",
            "first_admin": {"email": self.email("ada"), "name": "Ada Holm"},
            "discounts": [],
            "invoiced_until": None,
        }
        body["contract"] |= {"start": str(self.now.date()), "interval_months": 1}
        self.ask(201, "POST", "accounts", body)

    def email(self, name: str) -> str:
        return f"{name}@{self.clock}.example"

    def ask(self, status: int, method: str, path: str, body: Any = None) -> Any:
        given = self.stack.api.request(method, f"/v1/{path}", token=self.staff, body=body)
        assert given.status == status, given
        return given.json()

    def advance(self, to: datetime) -> None:
        """Lets the time of the account pass, with all that is due until then."""
        self.now = to
        self.ask(202, "POST", f"test-clocks/{self.clock}/advance", {"to": to.isoformat()})
        assert wait_until(self._is_ready, SECONDS_MAX)

    def _is_ready(self) -> bool:
        status = self.ask(200, "GET", f"test-clocks/{self.clock}")["status"]
        assert status != "failed"
        return bool(status == "ready")

    def mail(self, to: str, subject: str) -> str:
        """The text of the newest mail with these words in its subject."""
        found: list[str] = []

        def has_come() -> bool:
            items = self.stack.api.request("GET", f"/mail.json?to={to}").json()["items"]
            found.extend(each["text"] for each in items if subject in each["subject"])
            return bool(found)

        assert wait_until(has_come, SECONDS_MAX), subject
        return found[0]


def link(text: str) -> str:
    """The address of the page in a mail."""
    found = re.search(r"http://127\.0\.0\.1:\d+/#/\S+", text)
    assert found, text
    return found[0]


def first_log_in(person: Visitor, company: Company, email: str, address: str) -> None:
    """As the mail says: the first time, by "Forgot password"."""
    page = person.page
    page.goto(address)
    page.wait_for_url("**/oauth2/**")
    page.get_by_role("link", name="Forgot password?").click()
    page.get_by_label("E-mail address").fill(email)
    page.get_by_role("button", name="Send the code").click()
    expect(page.get_by_role("status")).to_contain_text(email)
    code: list[str] = []

    def has_come() -> bool:
        items = company.stack.api.request("GET", f"/mail.json?to={email}").json()["items"]
        codes = (re.search(r"\b\d{6}\b", each["text"] or "") for each in items)
        code.extend(each[0] for each in codes if each)
        return bool(code)

    assert wait_until(has_come, SECONDS_MAX)
    page.get_by_label("Code from the e-mail").fill(code[0])
    page.get_by_label("New password", exact=True).fill(NEW_PASSWORD)
    page.get_by_label("New password again").fill(NEW_PASSWORD)
    person.accessible()
    page.get_by_role("button", name="Save the password").click()
    expect(page.get_by_role("status")).to_contain_text("Your new password is saved.")
    page.locator("input:not([type=hidden])").first.fill(email)
    page.locator("button[type=submit]").first.click()
    page.locator("input[type=password]").fill(NEW_PASSWORD)
    page.locator("button[type=submit]").first.click()
    page.wait_for_url(f"{person.stack.settings.address}/*")


def cancel(page: Page) -> tuple[datetime, datetime]:
    """Cancels on the screen. Returns when the account has ended, and when it is deleted."""
    page.get_by_label("Choose a reason").select_option("closing_business")
    page.get_by_label("In a few words").fill("The shop closes at the end of the season.")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name=SEND).click()
    receipt = page.get_by_role("region", name="The subscription is cancelled")
    expect(receipt).to_be_visible()
    days = [said_day(receipt.inner_text(), words) for words in ("stays active until", "Everything is deleted on")]
    return days[0], days[1]


def said_day(text: str, words: str) -> datetime:
    """An instant within the day that follows the words, in the account's time zone."""
    found = re.search(rf"{words}\s+(\d+ \w+ \d{{4}})", text)
    assert found, text
    return datetime.combine(datetime.strptime(found[1], "%d %B %Y").replace(tzinfo=UTC).date(), time(20), UTC)


def test_a_company_comes_pays_grows_leaves_comes_back_and_is_deleted(stack: Stack, visit: Visit) -> None:
    company = Company(stack)
    ada, colleague = visit(), visit()
    page = ada.page
    screen = f"{stack.settings.address}/#/{company.account}"

    # The invitation leads to the log-in, "Forgot password" and the page.
    first_log_in(ada, company, company.email("ada"), link(company.mail(company.email("ada"), "is set up")))
    ada.heading("Ada's Shop")
    expect(page.get_by_text("No payment method is set up.").first).to_be_visible()
    page.get_by_role("link", name="Set one up").first.click()
    card = page.frame_locator("iframe")
    card.get_by_label("Card number").fill(TEST_CARD)
    card.get_by_label(re.compile("Expir")).fill("12/34")
    card.get_by_label(re.compile("Security|CVC")).fill("123")
    page.get_by_role("main").locator("button.main").click()
    expect(page.locator("iframe")).to_have_count(0)
    page.goto(f"{screen}/billing")
    expect(page.get_by_role("region", name="Payment details")).to_contain_text("4242")

    # A colleague is invited, and comes in by the mail.
    page.goto(f"{screen}/users")
    page.get_by_role("textbox", name="Name").fill("Bo Ek")
    page.get_by_role("textbox", name="E-mail address").fill(company.email("bo"))
    page.get_by_role("button", name="Send the invitation", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="Bo Ek")).to_contain_text("Invited")
    first_log_in(
        colleague, company, company.email("bo"), link(company.mail(company.email("bo"), "You now have access"))
    )
    colleague.heading("Ada's Shop")
    page.reload()
    expect(page.get_by_role("row").filter(has_text="Bo Ek")).to_contain_text("Has logged in")

    # Two months pass: invoices, mail that leads to them, usage and decisions.
    company.advance(company.now + timedelta(days=65))
    page.goto(link(company.mail(company.email("ada"), "is paid")))
    ada.heading("TEST-")
    expect(page.get_by_text("Paid").first).to_be_visible()
    page.goto(f"{screen}/usage")
    expect(page.get_by_role("region", name="Search")).to_contain_text("This month so far")
    page.get_by_role("radio", name="Last 60 days").check()
    expect(page.get_by_role("region", name="Search")).to_contain_text("This month so far")
    expect(page.get_by_role("main").get_by_role("alert")).to_have_count(0)

    # Cancelled, taken back, and cancelled in earnest.
    page.goto(f"{screen}/cancellation")
    cancel(page)
    page.get_by_role("button", name="Take the cancellation back").click()
    expect(page.get_by_text("The cancellation is taken back.")).to_be_visible()
    ends, _ = cancel(page)
    page.goto(link(company.mail(company.email("ada"), "cancelled")))
    expect(page.get_by_role("button", name="Take the cancellation back")).to_be_visible()
    company.advance(ends)

    # It has ended, and comes back.
    page.goto(link(company.mail(company.email("ada"), "deactivated")))
    ada.heading("Reactivation")
    expect(page.get_by_text("The account is deactivated.").first).to_be_visible()
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Reactivate", exact=True).click()
    expect(page.get_by_text("The account is active again.")).to_be_visible(timeout=60_000)

    # It leaves for good, with its data.
    page.goto(f"{screen}/export")
    page.get_by_role("button", name="Ask for an export").click()
    expect(page.get_by_role("button", name="Download the export")).to_be_visible(timeout=60_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the export").click()
    assert download.value.suggested_filename.endswith(".zip")
    page.goto(f"{screen}/cancellation")
    ends, deleted = cancel(page)
    company.advance(ends)
    colleague.page.reload()
    expect(colleague.page.get_by_text("The account is deactivated.").first).to_be_visible()
    company.advance(deleted)

    # Nothing is left but the mail, also no log-in.
    company.mail(company.email("ada"), "everything of")
    ada.refused.add(400)
    page.goto(f"{stack.settings.address}/")
    page.wait_for_url("**/oauth2/**")
    page.locator("input:not([type=hidden])").first.fill(company.email("ada"))
    page.locator("button[type=submit]").first.click()
    page.locator("input[type=password]").fill(NEW_PASSWORD)
    page.locator("button[type=submit]").first.click()
    expect(page.get_by_role("alert")).to_contain_text("The e-mail address or the password is wrong.")
