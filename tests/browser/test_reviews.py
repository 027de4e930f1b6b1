"""Reviews with the customer success manager: what is missing, free times, a booking, its end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import HOSTILE, Answers

Visit = Callable[..., Visitor]

ACCOUNT = "accounts/nordlys-kaffe"
PLACE = "nordlys-kaffe/reviews"


def review(status: str, name: str, **decision: Any) -> dict[str, Any]:
    return {
        "review": name,
        "status": status,
        "begins": "2099-02-01T09:00:00Z",
        "ends": "2099-02-01T09:30:00Z",
        "manager": {"success_manager": "sofie", "name": "Sofie Lindgren", "email": "sofie@livello.example"},
        "place": HOSTILE[2][:200],
        "products": [],
        "decision": {"decided_at": "2026-11-01T09:00:00Z", "reason": None, "effective_on": None, **decision}
        if decision
        else None,
    }


def test_a_review_is_booked_and_cancelled_by_keyboard(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open(PLACE)
    expect(page.get_by_role("link", name="sofie.staff@livello.example")).to_be_visible()
    book = page.get_by_role("button", name="Book this time")
    expect(book).to_be_disabled()
    days = page.get_by_role("group")
    assert days.first.inner_text().split(",")[0] in {"Monday", "Tuesday", "Wednesday", "Thursday", "Friday"}
    time = days.first.get_by_role("radio").last
    time.focus()
    page.keyboard.press("Space")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(page.get_by_text("The review is booked.")).to_be_focused()
    table = page.get_by_role("table", name="Your reviews")
    expect(table).to_contain_text("Booked")
    expect(page.get_by_text("A review is booked already; see below.")).to_be_visible()
    expect(page.get_by_role("radio")).to_have_count(0)
    sound(person, "reviews-booked")
    table.get_by_role("button", name="Cancel this review").press("Enter")
    expect(page.get_by_text("The review is cancelled, and its time is free again.")).to_be_focused()
    expect(table).to_contain_text("Cancelled")
    expect(days.first.get_by_role("radio").last).to_be_visible()


def test_a_time_that_was_taken_meanwhile_is_chosen_no_more(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    api = Answers(page)
    path = "accounts/lucciola-libri/reviews"

    def fits(found: Any) -> None:
        found["usage_fits"] = True
        found["items"] = found["items"][1:] if len(api.asked) > 1 else found["items"]

    api.changed(f"{path}/slots", fits)
    api.problem(path, 409, "slot-taken", "POST")
    person.open("lucciola-libri/reviews")
    page.get_by_role("radio").first.check()
    page.get_by_role("button", name="Prenotate questo orario").click()

    expect(page.get_by_role("alert")).to_contain_text("Questo orario è appena stato preso. Sceglietene un altro.")
    expect(page.get_by_role("radio", checked=True)).to_have_count(0)
    expect(page.get_by_role("button", name="Prenotate questo orario")).to_be_disabled()
    sound(person, "reviews-taken", "it")


def test_no_time_no_manager_and_what_is_missing(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)

    def nearly(found: Any) -> None:
        one = found["missing"][0]
        found["usage_fits"] = False
        found["missing"] = [
            {**one, "name": HOSTILE[0], "months_below": 2},
            {**one, "product": "email", "name": "E-mail", "reason": "lowest_tier"},
            {**one, "product": "chat", "name": HOSTILE[2], "reason": "too_few_months", "months_known": 1},
        ]

    api.changed(f"{ACCOUNT}/reviews/slots", nearly)
    person.open(PLACE)
    expect(page.get_by_role("progressbar")).to_have_attribute("value", "2")
    expect(page.get_by_text("2 of 3 months below")).to_be_visible()
    sound(person, "reviews-missing")
    page.unroute_all()
    api.changed(f"{ACCOUNT}/reviews/slots", lambda found: {**found, "items": [], "usage_fits": True})
    page.reload()
    expect(page.get_by_text("There is no free time in the next days.")).to_be_visible()
    page.unroute_all()
    api.problem(f"{ACCOUNT}/success-manager", 404, "no-success-manager")
    page.reload()
    expect(page.get_by_text("Nobody has been appointed yet.")).to_be_visible()
    expect(page.get_by_role("link", name="Ask us")).to_have_attribute("href", "mailto:support@livello.example")
    person.accessible()


def test_what_came_of_reviews_is_told_with_its_reason(visit: Visit) -> None:
    person = visit(who="admin", locale="it-IT")
    page = person.page
    items = [
        review("applied", "r1", effective_on="2026-12-15", reason=HOSTILE[1]),
        review("declined", "r2", reason=HOSTILE[0]),
        review("cancelled", "r3"),
        review("declined", "r4", reason=HOSTILE[2]),
    ]
    Answers(page).fixed(f"{ACCOUNT}/reviews", {"items": items, "next_cursor": None})
    person.open(PLACE)

    table = page.get_by_role("table", name="Le vostre revisioni")
    first = table.get_by_role("row").nth(1)
    expect(first).to_contain_text("Fascia inferiore dal 15 dic 2026")
    expect(first).to_contain_text(HOSTILE[1])
    expect(table).to_contain_text(HOSTILE[0])
    sound(person, "reviews-past", "it")
