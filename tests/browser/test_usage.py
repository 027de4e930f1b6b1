"""Usage, advice to use less, and the decisions about tiers."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Request, expect

from tests.browser.harness import Visitor
from tests.browser.judging import sound
from tests.browser.people import HOSTILE, Answers

Visit = Callable[..., Visitor]

USAGE = "accounts/nordlys-kaffe/usage"
DECISIONS = "accounts/nordlys-kaffe/autoscaling"


def product(of: Any, place: int) -> Any:
    return {**of, "product": f"product-{place}", "name": HOSTILE[place] if place < len(HOSTILE) else f"Product {place}"}


def test_a_product_is_shown_against_its_tier_with_thresholds_average_and_forecast(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open("nordlys-kaffe/usage")
    search = page.get_by_role("region", name="Search")
    chart = search.get_by_role("img", name="Search: usage over time, with the tier")
    expect(chart).to_be_visible()
    for line in ("tier: 50,000", "90%", "75%"):
        expect(chart.get_by_text(line)).to_be_visible()
    expect(chart.get_by_text(re.compile(r"average: \d\d,\d{3}"))).to_be_visible()
    expect(search.get_by_text(re.compile(r"\d\d,\d{3} \(\d\d,\d{3} to \d\d,\d{3}\)")).first).to_be_visible()
    search.locator("summary", has_text="The figures").click()
    # A month has no peak: the column would be empty for ever.
    expect(search.get_by_role("columnheader", name="Peak")).to_have_count(0)
    page.get_by_role("radio", name="Last 60 days").check()
    expect(search.get_by_role("img")).to_be_visible()
    expect(search.get_by_role("img").get_by_text(re.compile(r"^\d+ [A-Z][a-z]+$")).first).to_be_visible()
    page.get_by_role("radio", name="content").check()
    expect(search.get_by_role("table", name="Largest first")).to_contain_text("Search box")
    with page.expect_download() as download:
        page.get_by_role("button", name="Table (CSV)").click()
    assert download.value.suggested_filename == "usage-nordlys-kaffe.csv"
    sound(person, "usage-content")


def test_small_series_are_summed_up_and_not_called_nameless(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page

    def many(usage: Any) -> None:
        one = next(each for each in usage["series"] if each["product"] == "search")
        named = [{**one, "content": f"Content {place}", "total": str(9000 - place)} for place in range(100)]
        others = {**one, "store": None, "content": None, "parts": 4900, "total": "12.5"}
        usage["series"] = [*named, {**one, "content": HOSTILE[1], "total": "99999"}, others]

    Answers(page).changed(USAGE, many)
    person.open("nordlys-kaffe/usage")
    page.get_by_role("radio", name="content").check()
    search = page.get_by_role("region", name="Search")
    more = search.get_by_role("button", name="Show more")
    more.click()
    expect(more).to_have_count(0)

    expect(search.get_by_role("cell", name="4,900 smaller ones")).to_be_visible()
    expect(search.get_by_text("without a name")).to_have_count(0)
    sound(person, "usage-5000-contents")


def test_thirty_products_each_name_what_was_left_out(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    api = Answers(page)

    def thirty(usage: Any) -> None:
        usage["products"] = [product(usage["products"][0], place) for place in range(30)]
        usage["series"] = []

    def decided(found: Any) -> Any:
        left_out = [{"day": "2026-10-03", "usage": "9000", "counted": "800.4", "reason": "known_peak"}]
        one = {**found["items"][0], "left_out": left_out}
        return {**found, "items": [product(one, place) for place in range(30)][: asked(api.asked[-1])]}

    def asked(request: Request) -> int:
        found = re.search(r"limit=(\d+)", request.url)
        return int(found[1]) if found else 25

    api.changed(USAGE, thirty)
    api.changed(DECISIONS, decided)
    person.open("nordlys-kaffe/usage")

    expect(page.locator("summary", has_text="What the last decision left out")).to_have_count(30)
    last = page.get_by_role("region", name="Product 29")
    last.locator("summary", has_text="What the last decision left out").click()
    row = last.get_by_role("row", name=re.compile("3 Oct 2026"))
    expect(row).to_contain_text("9,000")
    expect(row).to_contain_text("a peak that your customer success manager knows of")
    expect(last.get_by_text("No usage has been reported in this range.")).to_be_visible()
    sound(person, "usage-30-products")


def test_a_peak_is_hatched_among_the_days(visit: Visit) -> None:
    person = visit(who="admin")
    api = Answers(person.page)
    days: list[str] = []

    def peak(usage: Any) -> None:
        one = next(each for each in usage["series"] if each["product"] == "search")
        if usage["by"] == "day":
            one["periods"][-3] |= {"peak": True, "usage": "9000"}
            days.append(one["periods"][-3]["period"])

    def decided(found: Any) -> None:
        for each in found["items"]:
            each["left_out"] = [{"day": days[0], "usage": "9000", "counted": "900", "reason": "peak"}] if days else []

    api.changed(USAGE, peak)
    person.open("nordlys-kaffe/usage")
    person.page.get_by_role("radio", name="Last 60 days").check()
    search = person.page.get_by_role("region", name="Search")
    search.locator("summary", has_text="The figures").click()
    expect(search.get_by_text("yes: it does not count in full")).to_be_visible()
    api.changed(DECISIONS, decided)
    person.page.reload()
    person.page.get_by_role("radio", name="Last 60 days").check()
    expect(search.locator("rect[fill='url(#hatched)']")).to_have_count(1)
    person.picture("usage-peak")


def test_what_cannot_be_forecast_and_what_cannot_be_loaded_is_said(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    page = person.page

    def young(usage: Any) -> None:
        usage["products"][0] |= {"forecast": None, "average": None, "average_percent": None, "months": []}
        # A correction has taken back more than was used.
        usage["series"][0]["periods"][0]["usage"] = "-120.5"

    path = "accounts/lucciola-libri/usage"
    Answers(page).changed(path, young)
    Answers(page).problem("accounts/lucciola-libri/autoscaling", 503, "busy")
    person.open("lucciola-libri/usage")

    expect(page.get_by_text("i giorni di utilizzo sono ancora troppo pochi").first).to_be_visible()
    expect(page.get_by_text("Che cosa non conta per intero ora non può essere mostrato")).to_be_visible()
    page.unroute_all()
    Answers(page).changed(path, lambda usage: {**usage, "products": [], "series": []})
    page.get_by_role("button", name="Riprova").click()
    expect(page.get_by_role("alert")).to_have_count(0)
    page.reload()
    expect(page.get_by_text("L'account non ha prodotti.")).to_be_visible()
    sound(person, "usage-nothing", "it")


def test_what_would_be_decided_without_some_content(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    person.open("nordlys-kaffe/reduction")
    search = page.get_by_role("region", name="Search")
    ask = search.get_by_role("button", name="What would be decided without these?")
    ask.focus()
    page.keyboard.press("Enter")
    expect(search.get_by_role("heading", name="Without these")).to_be_visible()
    # The answer was about another choice.
    search.get_by_role("checkbox").first.check()
    expect(search.get_by_role("heading", name="Without these")).to_have_count(0)
    chosen = search.get_by_role("checkbox", checked=True)
    while chosen.count():
        chosen.first.uncheck()
    expect(ask).to_be_disabled()
    expect(search.get_by_text("Choose at least one content.")).to_be_visible()


def test_advice_about_thousands_of_contents(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page
    simulations = "accounts/nordlys-kaffe/autoscaling/simulations"

    def many(found: Any) -> None:
        of = found["products"][0]
        one = of["ranking"][0]
        names = [*HOSTILE, *(f"Content {place}" for place in range(297))]
        of["ranking"] = [{**one, "content": name[:200]} for name in names]
        of["remove"], of["ranked"] = of["ranking"][:150], 5000

    Answers(page).changed("accounts/nordlys-kaffe/usage/reduction", many)
    person.open("nordlys-kaffe/reduction")
    search = page.get_by_role("region", name="Search")
    search.get_by_role("button", name="What would be decided without these?").click()
    # 150 are more than the API takes: the page says how many it takes.
    expect(search.get_by_text("At most 100.")).to_be_visible()
    more = search.get_by_role("button", name="Show more")
    for _ in range(3):
        more.click()
    expect(more).to_have_count(0)
    expect(search.get_by_text("Shown are the 300 that earn least, of 5,000.")).to_be_visible()
    sound(person, "reduction-5000-contents")
    Answers(page).problem(simulations, 429, "limit-reached", "POST")
    search.get_by_role("button", name="What would be decided without these?").click()
    expect(search.get_by_role("alert")).to_contain_text("Try again in a minute.")


def test_without_products_there_is_nothing_to_reduce(visit: Visit) -> None:
    person = visit(who="italian", locale="it-IT")
    Answers(person.page).fixed("accounts/lucciola-libri/usage/reduction", {"products": []})
    person.open("lucciola-libri/reduction")

    expect(person.page.get_by_text("Non ci sono prodotti da usare meno.")).to_be_visible()


def test_decisions_say_what_staff_have_set_and_when_the_next_is(visit: Visit) -> None:
    person = visit(who="admin")
    page = person.page

    def held(found: Any) -> None:
        found["next_decision"] = "2026-12"
        found["settings"] = {
            "pause": {"until": "2027-02-01", "reason": HOSTILE[0]},
            "known_peaks": [
                {"day": "2026-11-27", "product": None, "reason": "Black Friday"},
                {"day": "2026-11-27", "product": "search", "reason": HOSTILE[2]},
            ],
        }
        found["items"] = [
            {
                **found["items"][0],
                "outcome": "held",
                "hold": "paused",
                "left_out": [{"day": "2026-10-03", "usage": "9000", "counted": "800", "reason": "known_peak"}],
            }
        ]

    Answers(page).changed(DECISIONS, held)
    person.open("nordlys-kaffe/decisions")
    expect(page.get_by_text("at the beginning of December 2026")).to_be_visible()
    expect(page.get_by_text(f"Nothing moves before 1 Feb 2027: {HOSTILE[0]}")).to_be_visible()
    expect(page.get_by_text("27 Nov 2026, all products: Black Friday")).to_be_visible()
    expect(page.get_by_text("Held")).to_be_visible()
    page.locator("summary", has_text="The figures").click()
    expect(page.get_by_role("row", name=re.compile("3 Oct 2026 9,000 800 known peak"))).to_be_visible()
    sound(person, "decisions-held")
    page.unroute_all()
    Answers(page).fixed(
        DECISIONS,
        {"settings": {"pause": None, "known_peaks": []}, "next_decision": None, "items": [], "next_cursor": None},
    )
    page.reload()
    expect(page.get_by_text("No decision yet: the first is made once a month has closed.")).to_be_visible()
