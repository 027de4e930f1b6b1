"""Cancellation: dates and charges first, the reason, the tick, the receipt, and the way back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Request, expect

from local.demo.seeding import PASSWORD
from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import EMAILS, HOSTILE, REQUEST, Answers

Visit = Callable[..., Visitor]

PATH = "accounts/nordlys-kaffe/cancellation"
PLACE = "nordlys-kaffe/cancellation"
SEND = "I understand - cancel the subscription now!"
WHY = "We move to another shop system."


def dkk(amount: int) -> dict[str, Any]:
    return {"amount": amount, "currency": "DKK"}


def receipt(preview: dict[str, Any], **of: Any) -> dict[str, Any]:
    names = ("notice_ends", "active_until", "charges_still_due", "purge_on")
    return {
        "receipt": "01M8HKNXNWZ11VDM2Y7WPB9ZW5",
        "requested_at": "2026-11-28T12:00:00Z",
        "requested_by": {"user": "u", "name": HOSTILE[1], "email": "astrid@nordlys.example"},
        "reason": "other",
        "text": HOSTILE[2],
        "goodwill_lapses": dkk(5000),
        **{name: preview[name] for name in names},
        **of,
    }


def test_everything_that_follows_is_said_before_anything_is_asked(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page

    def more(found: Any) -> None:
        preview = found["preview"]
        one = preview["charges_still_due"][0]
        preview["charges_still_due"] = [{**one, "on": f"2027-{month:02}-15"} for month in range(1, 13)]
        preview["charges"] = {"invoices": 12, "total": dkk(2763756)}
        preview["goodwill_lapses"] = dkk(12345)
        found |= {"to_pay": dkk(230313), "to_repay": dkk(1), "products_in_use": [*HOSTILE]}
        found["pending_version"] = {"effective_on": "2027-03-01", "last_day_to_avoid_it": "2027-01-31"}

    Answers(page).changed(PATH, more)
    person.open(PLACE)
    main = page.get_by_role("main")
    for said in ("Your notice ends", "12 charges, DKK 27,637.56 in all.", "To avoid it, cancel by", HOSTILE[0]):
        expect(main.get_by_text(said).first).to_be_visible()
    expect(main.get_by_text("Whoever cancels by 31 Jan 2027 never pays them.")).to_be_visible()
    headings = [each.strip() for each in main.get_by_role("heading", level=2).all_inner_texts()]
    assert [each[:2] for each in headings] == ["1.", "2.", "3."]
    both = [each.bounding_box() for each in page.locator("form .buttons button").all()]
    assert [box["height"] for box in both if box] == [both[0]["height"]] * 2 if both[0] else False
    sound(person, "cancellation")


def test_everything_that_is_missing_is_said_at_once(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    person.open(PLACE)
    page.get_by_role("button", name="Capisco - cancella l'abbonamento ora!").click()

    expect(page.get_by_text("Questo campo è necessario.")).to_be_visible()
    expect(page.get_by_text("Almeno 10 caratteri.")).to_be_visible()
    tick = page.get_by_role("checkbox")
    expect(tick).to_have_accessible_description("Prima spuntate la casella.")
    expect(page.get_by_label("Scegliete un motivo")).to_be_focused()
    sound(person, "cancellation-missing", "it")
    page.get_by_role("button", name="Mantenete l'abbonamento").click()
    person.heading("Fatturazione")


@pytest.mark.parametrize("code", ["cancellation-dates-changed", "cancellation-charges-changed"])
def test_what_has_changed_meanwhile_is_shown_and_confirmed_anew(visit: Visit, code: str) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    previews: list[dict[str, Any]] = []
    api.changed(PATH, lambda found: previews.append(found["preview"]))
    person.open(PLACE)
    page.get_by_label("Choose a reason").select_option("other")
    page.get_by_label("In a few words").fill(WHY)
    page.get_by_role("checkbox").check()
    changed = {**previews[0], "active_until": "2027-03-15", "charges": {"invoices": 3, "total": dkk(690939)}}
    api.problem(PATH, 409, code, "POST", preview=changed)
    page.get_by_role("button", name=SEND).click()

    expect(page.get_by_text("The dates or charges have changed since you read them.")).to_be_visible()
    expect(page.get_by_text("15 March 2027").first).to_be_visible()
    expect(page.get_by_text("3 charges, DKK 6,909.39 in all.")).to_be_visible()
    expect(page.get_by_role("checkbox")).not_to_be_checked()
    expect(page.get_by_label("In a few words")).to_have_value(WHY)
    sound(person, "cancellation-changed")
    sent: list[Any] = []

    def accepted(request: Request) -> dict[str, Any]:
        sent.append(request.post_data_json)
        return receipt(changed)

    page.unroute_all()
    api.fixed(PATH, accepted, 201, "POST")
    # The answer is the receipt: nothing else needs to be asked for it.
    api.problem(PATH, 503, "busy")
    page.get_by_role("checkbox").check()
    page.get_by_role("button", name=SEND).press("Enter")
    expect(page.get_by_role("heading", name="The subscription is cancelled")).to_be_focused()
    assert (sent[0]["active_until"], sent[0]["charges"]["invoices"]) == ("2027-03-15", 3)
    person.heading("Cancellation")
    sound(person, "cancellation-receipt")
    page.emulate_media(media="print")
    expect(page.get_by_text("01M8HKNXNWZ11VDM2Y7WPB9ZW5")).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
    person.picture("cancellation-print")


def test_a_cancellation_is_taken_back_or_said_to_be_gone(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    state = {"of": "cancelling"}

    def cancelled(found: Any) -> None:
        if state["of"] == "cancelling":
            found |= {"status": "cancelling", "receipt": receipt(found["preview"]), "preview": None}

    api.changed(PATH, cancelled)
    api.problem(PATH, 409, "not-cancelling", "DELETE")
    person.open(PLACE)
    page.get_by_role("button", name="Take the cancellation back").click()
    expect(page.get_by_role("alert")).to_contain_text("There is no cancellation any more")

    def taken_back(_: Any) -> None:
        state["of"] = "active"

    api.fixed(PATH, taken_back, 204, "DELETE")
    page.get_by_role("button", name="Take the cancellation back").press("Enter")
    expect(page.get_by_text("The cancellation is taken back.")).to_be_focused()
    expect(page.get_by_role("heading", name="2. Why do you cancel?")).to_be_visible()
    person.accessible()


@pytest.mark.parametrize(("status", "code"), [(503, "busy"), (429, "limit-reached"), (0, "offline")])
def test_a_cancellation_that_cannot_be_sent_loses_nothing(visit: Visit, status: int, code: str) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)
    person.open(PLACE)
    page.get_by_label("Choose a reason").select_option("other")
    page.get_by_label("In a few words").fill(WHY)
    page.get_by_role("checkbox").check()
    if status:
        api.problem(PATH, status, code, "POST")
    else:
        api.offline(PATH, "POST")
    page.get_by_role("button", name=SEND).click()

    expect(page.get_by_role("alert")).to_contain_text(REQUEST if status else "There was no answer.")
    expect(page.get_by_label("In a few words")).to_have_value(WHY)
    expect(page.get_by_role("button", name=SEND)).to_be_enabled()
    person.faults.clear()


def test_a_session_that_ends_while_the_reason_is_written_keeps_it_and_not_the_tick(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(PLACE)
    page.get_by_label("Choose a reason").select_option("not_used")
    page.get_by_label("In a few words").fill(WHY)
    page.get_by_role("checkbox").check()
    page.evaluate("sessionStorage.setItem('livello.refresh', 'ended')")
    Answers(page).problem(PATH, 401, "unauthenticated", "POST")
    page.get_by_role("button", name=SEND).click()
    page.wait_for_url("**/oauth2/**")
    page.unroute_all()
    page.locator("input:not([type=hidden])").first.fill(EMAILS["admin"])
    page.locator("button[type=submit]").first.click()
    page.locator("input[type=password]").fill(PASSWORD)
    page.locator("button[type=submit]").first.click()

    expect(page.get_by_label("In a few words")).to_have_value(WHY)
    expect(page.get_by_label("Choose a reason")).to_have_value("not_used")
    expect(page.get_by_role("checkbox")).not_to_be_checked()
    page.get_by_role("button", name="Keep the subscription").click()
