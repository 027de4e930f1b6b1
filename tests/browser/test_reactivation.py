"""An account that has ended comes back: the offer, the charge on its way, a charge that failed. And the export."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import Answers

Visit = Callable[..., Visitor]

ACCOUNT = "accounts/nordlys-kaffe"
PATH = f"{ACCOUNT}/reactivation"
EXPORT = f"{ACCOUNT}/export"
TAX = {
    "rule": "domestic",
    "country": "DK",
    "rate": "25",
    "amount": {"amount": 46063, "currency": "DKK"},
    "sentence": None,
    "seller_tax": None,
}


def dkk(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "DKK"}


class Ended:
    """A deactivated account, and its reactivation as it is."""

    def __init__(self, person: Visitor) -> None:
        self.api = Answers(person.page)
        self.status, self.total = "possible", 230313
        self.failure: str | None = None
        self.is_active = False
        self.billing: dict[str, Any] = {}
        self.api.changed(f"{ACCOUNT}/billing", self._billing)
        self.api.fixed(PATH, lambda _: self._reactivation())

    def _billing(self, page: Any) -> None:
        self.billing = dict(page)
        if not self.is_active:
            page |= {"status": "deactivated", "ends": {"active_until": "2026-11-15", "purge_on": "2026-11-29"}}

    def _reactivation(self) -> dict[str, Any]:
        invoice = {
            "on": "2026-11-28",
            "since": "2026-11-28",
            "until": "2026-12-28",
            "lines": [],
            "net": dkk(184250),
            "tax": TAX,
            "total": dkk(self.total),
            "credit": dkk(0),
            "due": dkk(self.total),
        }
        offer = {
            "contract": self.billing["contract"],
            "lines": self.billing["subscription"]["lines"],
            "invoice": invoice,
        }
        return {
            "status": self.status,
            "reactivate_until": "2026-11-28",
            "purge_on": "2026-11-29",
            "offer": None if self.status == "pending" else offer,
            "reactivation": None,
            "due": dkk(self.total),
            "failure": self.failure,
        }


@pytest.mark.parametrize(("locale", "heading"), [("en-GB", "Reactivation"), ("it-IT", "Riattivazione")])
def test_an_offer_says_until_when_what_and_how_much(visit: Visit, locale: str, heading: str) -> None:
    person = visit(who="admin", locale=locale)
    page = person.page
    Ended(person)
    person.open("nordlys-kaffe/overview")
    page.get_by_role("link", name="Reactivate it" if locale == "en-GB" else "Riattivatelo").first.click()

    person.heading(heading)
    expect(page.get_by_role("main").get_by_text("2,303.13" if locale == "en-GB" else "2.303,13").first).to_be_visible()
    send = page.get_by_role("button", name="Reactivate" if locale == "en-GB" else "Riattivate", exact=True)
    expect(send).to_be_disabled()
    sound(person, "reactivation", locale)


def test_a_charge_that_takes_its_time_is_not_called_done_by_an_answer_that_fails(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    ended = Ended(person)
    person.open("nordlys-kaffe/reactivation")
    page.get_by_role("checkbox").check()

    def asked(_: Any) -> dict[str, Any]:
        ended.status = "pending"
        return ended._reactivation()

    ended.api.fixed(PATH, asked, 202, "POST")
    page.get_by_role("button", name="Reactivate", exact=True).click()
    pending = page.get_by_text("The charge is being made.")
    expect(pending).to_be_visible()
    person.accessible()
    # Down for a moment: nobody knows yet whether the account is active.
    ended.api.offline(PATH)
    before = len(ended.api.asked)
    page.wait_for_timeout(2500)
    assert len(ended.api.asked) > before
    expect(page.get_by_text("The account is active again.")).to_have_count(0)
    expect(pending).to_be_visible()
    ended.is_active = True
    ended.api.problem(PATH, 409, "not-deactivated")
    expect(page.get_by_text("The account is active again.")).to_be_focused()
    expect(page.get_by_text("The account is deactivated.")).to_have_count(0)
    person.faults = [each for each in person.faults if "reactivation" not in each]


def test_an_offer_that_has_changed_is_shown_anew(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    ended = Ended(person)
    person.open("nordlys-kaffe/reactivation")
    page.get_by_role("checkbox").check()
    ended.total = 250000
    ended.api.problem(PATH, 409, "reactivation-changed", "POST")
    page.get_by_role("button", name="Reactivate", exact=True).click()

    expect(page.get_by_role("alert")).to_contain_text("The offer has changed meanwhile.")
    expect(page.get_by_label("I agree: DKK 2,500.00 is charged at once")).to_be_visible()
    expect(page.get_by_role("checkbox")).not_to_be_checked()
    ended.api.problem(PATH, 409, "no-payment-method", "POST")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name="Reactivate", exact=True).click()
    expect(page.get_by_role("link", name="Set up a payment method")).to_have_attribute(
        "href", "#/nordlys-kaffe/billing/payment"
    )
    sound(person, "reactivation-changed")


def test_a_charge_that_failed_says_why_and_can_be_tried_again(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    ended = Ended(person)
    ended.status, ended.failure = "failed", "insufficient_funds"
    person.open("nordlys-kaffe/reactivation")

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("L'addebito non è riuscito.")
    expect(alert).to_contain_text("I fondi non sono sufficienti.")
    expect(page.get_by_role("checkbox")).to_be_visible()
    sound(person, "reactivation-failed", "it")


@pytest.mark.parametrize("who", ["member", "staff"])
def test_only_an_admin_can_bring_it_back(visit: Visit, who: str) -> None:
    person = visit(who=who)
    Ended(person)
    person.open("nordlys-kaffe/reactivation")

    of = "your company" if who == "member" else "the customer"
    expect(person.page.get_by_text(f"Only an admin of {of} can reactivate the account.")).to_be_visible()
    expect(person.page.get_by_role("checkbox")).to_have_count(0)
    sound(person, f"reactivation-{who}")


def test_an_active_account_has_nothing_to_reactivate(visit: Visit) -> None:
    person = visit(who="admin")
    person.open("nordlys-kaffe/reactivation")

    expect(person.page.get_by_text("there is nothing to reactivate")).to_be_visible()
    person.accessible()


# ---- Export ----


def export(status: str, **of: Any) -> dict[str, Any]:
    names = ("requested_at", "ready_at", "until", "files", "link", "works_until")
    return {"status": status, **dict.fromkeys(names), **of}


def test_an_export_is_asked_for_once_prepared_and_fetched_by_a_link_of_now(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    api = Answers(page)
    links: list[str] = []
    state = {"of": "none"}

    def shown(_: Any) -> dict[str, Any]:
        if state["of"] != "ready":
            return export(state["of"])
        links.append(f"{person.stack.settings.address}/file-{len(links)}.zip")
        return export("ready", until="2026-12-05T10:00:00Z", files=1234, link=links[-1])

    def asked(_: Any) -> dict[str, Any]:
        state["of"] = "preparing"
        return export("preparing")

    api.fixed(EXPORT, shown)
    api.problem(EXPORT, 503, "busy", "POST")
    person.open("nordlys-kaffe/export")
    page.get_by_role("button", name="Chiedete un'esportazione").click()
    expect(page.get_by_role("alert")).to_contain_text("Troppe richieste in questo momento.")
    api.fixed(EXPORT, asked, 202, "POST")
    page.get_by_role("button", name="Chiedete un'esportazione").click()
    expect(page.get_by_text("L'esportazione è in preparazione.")).to_be_visible()
    sound(person, "export-preparing", "it")
    state["of"] = "ready"
    expect(page.get_by_text("Pronta fino al 5 dic 2026")).to_be_visible()
    expect(page.get_by_text("1.234 file.")).to_be_visible()
    sound(person, "export-ready", "it")
    page.route("**/file-*.zip", lambda route: route.fulfill(body="x", content_type="application/zip"))
    before = len(links)
    with page.expect_download() as download:
        page.get_by_role("button", name="Scaricate l'esportazione").click()
    # Links work for minutes, and the page may have been open for hours.
    assert download.value.url == links[before]
    state["of"] = "expired"
    page.reload()
    expect(page.get_by_text("L'ultima esportazione non è più conservata.")).to_be_visible()
    expect(page.get_by_role("button", name="Chiedetene una nuova")).to_be_visible()
