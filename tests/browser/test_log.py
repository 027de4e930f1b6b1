"""The log of an account."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from playwright.sync_api import expect

from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import HOSTILE, Answers

Visit = Callable[..., Visitor]

EVENTS = "accounts/nordlys-kaffe/events"


def event(place: int, **of: Any) -> dict[str, Any]:
    return {
        "event": f"e{place}",
        "type": "billing_information.changed",
        "version": 1,
        "account": "nordlys-kaffe",
        "time": "2026-11-15T12:00:00Z",
        "actor": {"kind": "customer", "user": "somebody-who-has-left"},
        "correlation": "c",
        "is_replay": False,
        "sequence": f"e{place}",
        "test_clock": None,
        "before": None,
        "after": None,
        **of,
    }


def test_values_are_fields_and_no_program_text(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    prices = {"total": {"amount": 230313, "currency": "DKK"}, "lines": [{"name": HOSTILE[2]}, {"name": None}]}
    items = [
        event(1, before={"contact": {"name": HOSTILE[0]}}, after={"contact": {"name": HOSTILE[1], "phone": "1"}}),
        event(2, after=prices, type="invoice.issued", actor={"kind": "system", "user": None}),
        event(3, type="unheard.of"),
    ]
    Answers(page).fixed(EVENTS, {"items": items, "next_cursor": None})
    person.open("nordlys-kaffe/log")
    page.locator("summary", has_text="Before and after").click()
    values = page.get_by_role("table", name="Values")
    row = values.get_by_role("row", name="contact.name")
    expect(row.get_by_role("cell").nth(1)).to_have_text(HOSTILE[0])
    expect(row.get_by_role("cell").nth(2)).to_have_text(HOSTILE[1])
    expect(values.get_by_role("row", name="contact.phone").get_by_role("cell").nth(1)).to_have_text("\N{EN DASH}")
    page.locator("summary").nth(1).click()
    expect(page.get_by_role("row", name="total").last).to_contain_text("2,303.13")
    expect(page.get_by_role("row", name="lines.1.name").last).to_be_visible()
    expect(page.get_by_text("A user of your account")).to_have_count(2)
    sound(person, "log-values")


def test_older_events_come_with_show_more_and_a_problem_keeps_what_there_is(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page
    api = Answers(page)
    path = "accounts/lucciola-libri/events"
    older = {"items": [event(place) for place in range(50, 100)], "next_cursor": None}
    api.fixed(
        path,
        lambda request: (
            older
            if "cursor=" in request.url
            else {"items": [event(place) for place in range(50)], "next_cursor": "next"}
        ),
    )
    person.open("lucciola-libri/log")
    more = page.get_by_role("button", name="Mostra altro")
    expect(page.get_by_role("row")).to_have_count(51)
    api.problem(path, 503, "busy")
    more.click()
    expect(page.get_by_role("alert")).to_contain_text("Troppe richieste in questo momento.")
    expect(page.get_by_role("row")).to_have_count(51)
    page.unroute_all()
    api.fixed(path, older)
    more.click()
    expect(page.get_by_role("row")).to_have_count(101)
    expect(more).to_have_count(0)
    page.unroute_all()
    api.fixed(path, {"items": [], "next_cursor": None})
    page.reload()
    expect(page.get_by_text("Non è ancora successo nulla.")).to_be_visible()
