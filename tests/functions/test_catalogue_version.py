"""Staff move a running account to another version of the catalogue: prices change with a notice that is kept."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest
from billing import wiring
from billing.correspondence.audiences import Delivery, LetterContext, Recipient
from billing.correspondence.notify import NotAllSent, Outcome, Post, Unwritable
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event, EventType
from billing.subscriptions.announce_version import VersionAnnouncements

from functions.administer_cancellation.app import handler as administer_cancellation
from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.get_invoices.app import handler as get_invoices
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company, put_catalogue
from tests.faults.world import Bucket
from tests.functions import test_terms as terms
from tests.functions.ending import deactivate, invoiced_elsewhere
from tests.functions.test_autoscaling import events, run, use
from tests.functions.test_discounts import QUARTER, invoiced
from tests.functions.test_products import differences, end, follows, line, places, put, subscription
from tests.samples import CATALOGUE

ROUTE = "/accounts/{account}/catalogue-version"
RENEWAL, SECOND, THIRD = "2026-07-15", "2026-10-15", "2027-01-15"
DEARER_QUARTER = 15_488 + 19_500 - 1500
"""Search for 3 * 59.00 less 12.5 %, e-mail for 3 * 65.00, less 3 * 5.00."""
BOTH = ["ada@nordlys.example", "invoices@nordlys.example"]


def version_of(search: dict[int | None, int | None], email: dict[int | None, int | None]) -> dict[str, Any]:
    """A catalogue with these prices by volume; None is left to an agreement."""
    products = copy.deepcopy(CATALOGUE["products"])
    for product, prices in zip(products, (search, email), strict=True):
        product["tiers"] = [
            {"up_to": up_to, "prices": None if price is None else {"EUR": price, "DKK": 8 * price}}
            for up_to, price in prices.items()
        ]
    return {"products": products}


DEARER = version_of({10_000: 5900, 25_000: 10_900, None: None}, {10_000: 3400, 25_000: 6500})


@pytest.fixture
def company(company: Company) -> Company:
    """The sample account, whose quarter until RENEWAL is invoiced. There is a dearer version 2 of the catalogue."""
    invoiced_elsewhere(company)
    assert put_catalogue(DEARER, replaces=1).status == 200
    return company


def ask(company: Company, method: str, *, now: datetime = NOW, preview: bool = False, **more: Any) -> Answer:
    event = request(
        method,
        ROUTE,
        claims=STAFF,
        path=company.path,
        query={"preview": "true"} if preview else None,
        now=now,
        **more,
    )
    return answer(administer_subscriptions, event)


def move(
    company: Company, version: Any = 2, effective_on: str | None = None, *, tag: str | None = None, **more: Any
) -> Answer:
    """Staff move the account, at the version of the subscription that they see unless `tag` names another."""
    headers = {"If-Match": tag or ask(company, "GET").headers["ETag"]} if tag != "" else {}
    body = {"version": version, "effective_on": effective_on, "reason": "Prices of 2027"}
    return ask(company, "PUT", body=body, headers=headers, **more)


def pending(given: Answer) -> dict[str, Any] | None:
    assert given.status == 200, given
    found: dict[str, Any] | None = given.body.get("version", given.body)["pending_version"]
    return found


class Mailbox:
    """The mail service. Nothing goes to the addresses that it `refuses`."""

    def __init__(self, *refuses: str) -> None:
        self.refuses = refuses
        self.taken: list[str] = []

    def send(self, _: bytes, to: str, __: Delivery) -> str:
        if to in self.refuses:
            raise UpstreamFailed("Throttling")
        self.taken.append(to)
        return f"message-{len(self.taken)}"


def attempt(event: Event, box: Mailbox, now: datetime = NOW) -> Outcome:
    """One attempt to mail about an event at `now`, with PriceNoticeDays of 30."""

    def write(event: Event, _: LetterContext, recipient: Recipient, __: bytes | None) -> bytes:
        return f"{event.id} {recipient.email}".encode()

    promises = VersionAnnouncements(now, 30, wiring.subscription_store())
    stores = (wiring.account_store(), wiring.delivery_store())
    return Post(f"{now}", now, "staff@livello.example", *stores, box, Bucket(), write, "", promises).send(event)


def mail(about: str, now: datetime) -> list[str]:
    """The newest event of this type is mailed at `now`; the addresses that got it."""
    box = Mailbox()
    attempt(events(about)[-1], box, now)
    return box.taken


def moved(company: Company, version: int = 2, now: datetime = NOW) -> Answer:
    """The account moves, and the mail about it goes out at once."""
    given = move(company, version, now=now)
    assert given.status == 200, given
    assert mail("catalogue_version.announced", now) == BOTH
    return ask(company, "GET", now=now)


def noon(day: str) -> datetime:
    return datetime.fromisoformat(f"{day}T12:00:00+00:00")


# ---- The day ----


def test_prices_change_with_the_first_renewal_that_leaves_the_notice(company: Company) -> None:
    # The last day to avoid the renewal of July is the 14th of June: too soon. That of October is the 14th of September.
    given = move(company)

    assert follows(given) == (
        SECOND,
        [(RENEWAL, QUARTER), (SECOND, DEARER_QUARTER)],
        [(RENEWAL, QUARTER), (SECOND, QUARTER)],
    )
    shown = pending(given)
    assert shown is not None
    assert (shown["effective_on"], shown["last_day_to_avoid_it"]) == (SECOND, "2026-09-14")
    assert [(each["product"], each["before"], each["after"], each["agreed"]) for each in shown["lines"]] == [
        ("search", tier(10_000, 4900), tier(10_000, 5900), False),
        ("email", tier(25_000, 5900), tier(25_000, 6500), False),
    ]
    [event] = events("catalogue_version.announced")
    assert event.before == {"version": 1}
    assert event.after is not None
    assert (event.after["last_day_to_avoid_it"], event.after["reason"]) == ("2026-09-14", "Prices of 2027")
    # What was shown is what is invoiced, once the mail went out.
    assert mail("catalogue_version.announced", NOW) == BOTH
    assert invoiced(company, "2026-10-16") == [(RENEWAL, QUARTER), (SECOND, DEARER_QUARTER)]
    assert ask(company, "GET", now=noon("2026-10-16")).body == {"catalogue_version": 2, "pending_version": None}
    page = subscription(company, noon("2026-10-16"))
    assert page.body["catalogue_version"] == 2
    assert line(page, "search")["price_per_month"]["amount"] == 5900


def tier(up_to: int | None, price: int) -> dict[str, Any]:
    return {"up_to": up_to, "price_per_month": {"amount": price, "currency": "EUR"}}


def test_a_late_run_invoices_what_a_run_in_time_had_invoiced(company: Company) -> None:
    moved(company)
    assert differences(company.account, NOW) == []

    assert invoiced(company, "2027-02-01") == [(RENEWAL, QUARTER), (SECOND, DEARER_QUARTER), (THIRD, THIRD_QUARTER)]
    assert differences(company.account, noon("2027-02-01")) == [], "the books agree with the prices of each day"


THIRD_QUARTER = 3 * (5900 + 6500 - 500)
"""The discount on search is over by then."""


def test_the_customer_sees_what_changes_and_when_to_cancel(company: Company) -> None:
    move(company)
    assert subscription(company).body["pending_version"] is None, "nobody has been told"
    mail("catalogue_version.announced", NOW)

    shown = subscription(company).body["pending_version"]
    assert (shown["effective_on"], shown["announced_on"]) == (SECOND, "2026-06-10")
    path: dict[str, Any] = {"claims": company.admin, "path": company.path, "now": NOW}
    assert answer(get_invoices, request("GET", "/accounts/{account}/invoices/upcoming", **path)).body[
        "prices_change_on"
    ] == (SECOND)
    cancellation = answer(administer_cancellation, request("GET", "/accounts/{account}/cancellation", **path))
    assert cancellation.body["pending_version"]["last_day_to_avoid_it"] == "2026-09-14"


@pytest.mark.parametrize(
    ("cancelled", "last"), [("2026-09-14", [(RENEWAL, QUARTER)]), ("2026-09-15", [(SECOND, DEARER_QUARTER)])]
)
def test_a_cancellation_on_the_day_that_was_named_avoids_the_new_prices(
    company: Company, cancelled: str, last: list[tuple[str, int]]
) -> None:
    moved(company)
    path: dict[str, Any] = {"claims": company.admin, "path": company.path, "now": noon(cancelled)}
    seen = answer(administer_cancellation, request("GET", "/accounts/{account}/cancellation", **path)).body["preview"]
    body = {
        "reason": "too_expensive",
        "text": "It is too expensive.",
        "confirmed": True,
        "active_until": seen["active_until"],
    }
    given = answer(administer_cancellation, request("POST", "/accounts/{account}/cancellation", body=body, **path))

    assert given.status == 201, given
    assert invoiced(company, "2027-02-01")[-1:] == last


# ---- The mail ----


def test_a_mail_that_is_late_moves_the_day(company: Company) -> None:
    # The 15th of August is 30 days before the last day; a day later is too late for October.
    move(company)
    assert mail("catalogue_version.announced", noon("2026-08-16")) == []

    [event] = events("catalogue_version.postponed")
    assert event.before == {"effective_on": SECOND}
    assert event.after is not None
    assert (event.after["effective_on"], event.after["last_day_to_avoid_it"]) == (THIRD, "2026-12-14")
    assert mail("catalogue_version.postponed", noon("2026-08-16")) == [*BOTH, "staff@livello.example"]
    # The message about the first day comes again: it is not true any more.
    assert mail("catalogue_version.announced", noon("2026-08-17")) == []
    assert len(events("catalogue_version.postponed")) == 1
    assert invoiced(company, "2027-01-16") == [(RENEWAL, QUARTER), (SECOND, QUARTER), (THIRD, THIRD_QUARTER)]


def test_a_mail_on_the_last_day_is_in_time_until_midnight_of_the_account(company: Company) -> None:
    move(company)
    # Midnight in Copenhagen is 22:00 UTC in summer; sending may take two minutes.
    assert mail("catalogue_version.announced", datetime(2026, 8, 15, 21, 59, tzinfo=UTC)) == []
    assert len(events("catalogue_version.postponed")) == 1


def test_a_mail_before_midnight_is_in_time(company: Company) -> None:
    move(company)
    assert mail("catalogue_version.announced", datetime(2026, 8, 15, 21, 57, tzinfo=UTC)) == BOTH
    assert events("catalogue_version.postponed") == []


def test_no_price_changes_without_a_mail(company: Company) -> None:
    move(company)
    assert invoiced(company, "2026-10-16") == [(RENEWAL, QUARTER), (SECOND, QUARTER)]
    later = noon("2026-10-16")
    assert ask(company, "GET", now=later).body == {"catalogue_version": 1, "pending_version": None}
    # The dead letter is sent again after weeks, or staff enter the move again.
    assert mail("catalogue_version.announced", later) == []
    assert (events("catalogue_version.postponed")[-1].after or {})["effective_on"] == THIRD
    assert mail("catalogue_version.postponed", later)[:2] == BOTH
    assert invoiced(company, "2027-01-16")[-1:] == [(THIRD, THIRD_QUARTER)]


def test_one_mailed_address_is_enough_and_the_others_follow(company: Company) -> None:
    move(company)
    [announced] = events("catalogue_version.announced")
    with pytest.raises(NotAllSent):
        attempt(announced, Mailbox("ada@nordlys.example")).counts()

    shown = pending(ask(company, "GET"))
    assert shown is not None
    assert shown["announced_on"] == "2026-06-10"
    assert mail("catalogue_version.announced", noon("2026-08-20")) == ["ada@nordlys.example"]


def test_nobody_to_mail_is_a_dead_letter_and_no_change(company: Company) -> None:
    move(company)
    [announced] = events("catalogue_version.announced")
    accounts = wiring.account_store()
    for address in BOTH:
        accounts.mark_undeliverable(company.account, address, replace(announced, after={"email": address}))
    with pytest.raises(Unwritable):
        attempt(announced, Mailbox()).counts()

    shown = pending(ask(company, "GET"))
    assert shown is not None
    assert shown["announced_on"] is None


# ---- Staff ----


def test_a_preview_writes_nothing_and_shows_the_same(company: Company) -> None:
    before = stored_items()
    preview = move(company, preview=True, tag="")

    assert stored_items() == before
    assert move(company).body == preview.body


def test_a_move_names_the_version_that_staff_saw(company: Company) -> None:
    assert move(company, tag="").status == 428
    stale = ask(company, "GET").headers["ETag"]
    assert put(company, "search", 25_000).status == 200
    assert move(company, tag=stale).status == 412
    assert move(company).status == 200
    assert move(company, tag=stale).status == 200, "the same again is no change"
    assert len(events("catalogue_version.announced")) == 1


def test_a_day_that_was_shown_is_confirmed(company: Company) -> None:
    given = move(company, effective_on=RENEWAL)
    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:version-day-changed")
    assert move(company, effective_on=SECOND).status == 200


def test_a_move_is_withdrawn_before_its_day(company: Company) -> None:
    moved(company)
    eve = noon("2026-10-14")
    before = stored_items()
    preview = ask(company, "DELETE", now=eve, preview=True)
    assert stored_items() == before
    given = ask(company, "DELETE", now=eve)

    assert given.body == preview.body
    assert pending(given) is None
    assert (events("catalogue_version.withdrawn")[0].after or {})["version"] == 1
    assert mail("catalogue_version.withdrawn", eve) == BOTH
    assert invoiced(company, "2026-10-16")[-1:] == [(SECOND, QUARTER)]
    again = ask(company, "DELETE", now=eve)
    assert (again.status, again.body["type"]) == (409, "urn:livello:problem:no-version-pending")


def test_a_version_that_holds_is_not_withdrawn(company: Company) -> None:
    moved(company)
    assert ask(company, "DELETE", now=noon(SECOND)).status == 409, "also while the run is late"


def test_a_withdrawn_move_is_not_mailed_any_more(company: Company) -> None:
    move(company)
    ask(company, "DELETE")
    assert mail("catalogue_version.announced", NOW) == []


def test_a_third_version_takes_the_place_of_the_second_before_its_day(company: Company) -> None:
    moved(company)
    cheaper = version_of({10_000: 4000, 25_000: 8000, None: None}, {10_000: 2000, 25_000: 5000})
    assert put_catalogue(cheaper, replaces=2).status == 200
    later = noon("2026-08-20")
    shown = pending(moved(company, 3, later))

    assert shown is not None
    assert (shown["catalogue_version"], shown["effective_on"]) == (3, THIRD)
    [_, event] = events("catalogue_version.announced")
    assert (event.before or {})["version"] == 2
    # Nothing of version 2 holds: it was replaced before its day.
    assert invoiced(company, "2027-01-16") == [
        (RENEWAL, QUARTER),
        (SECOND, QUARTER),
        (THIRD, 3 * (4000 + 5000 - 500)),
    ]


def test_versions_follow_each_other(company: Company) -> None:
    moved(company)
    cheaper = version_of({10_000: 4000, 25_000: 8000, None: None}, {10_000: 2000, 25_000: 5000})
    assert put_catalogue(cheaper, replaces=2).status == 200
    moved(company, 3, noon("2026-10-15"))

    # The run is late for both: each period has the version that held on its first day.
    assert invoiced(company, "2027-01-16") == [
        (RENEWAL, QUARTER),
        (SECOND, DEARER_QUARTER),
        (THIRD, 3 * (4000 + 5000 - 500)),
    ]
    moved(company, 2, noon("2027-02-01"))  # back to an older one is another move


NEW_EMAIL: dict[int | None, int | None] = {10_000: 2900, 25_000: 5900}
REFUSED: list[tuple[str, dict[str, Any], str, str]] = [
    ("a product that is not sold any more", {"products": CATALOGUE["products"][:1]}, "unusable", "email"),
    ("no tier that holds as much", version_of({5000: 3000}, NEW_EMAIL), "unusable", "search"),
    ("a tier without a price", version_of({5000: 3000, None: None}, NEW_EMAIL), "unusable", "search"),
    ("a product without a price", version_of({None: None}, NEW_EMAIL), "unusable", "search"),
]


def test_a_version_without_a_place_for_a_line_is_refused(company: Company) -> None:
    for version, (why, catalogue, code, product) in enumerate(REFUSED, 3):
        assert put_catalogue(catalogue, replaces=version - 1).status == 200, why
        given = move(company, version)
        assert given.status == 422, why
        first = given.body["errors"][0]
        assert (first["pointer"], first["code"], first["limits"]["product"]) == ("#/version", code, product), why


def test_a_version_without_a_price_in_the_currency_is_refused(company: Company) -> None:
    danish = copy.deepcopy(DEARER)
    for each in (tier for product in danish["products"] for tier in product["tiers"] if tier["prices"]):
        del each["prices"]["EUR"]
    assert put_catalogue(danish, replaces=2).status == 200
    given = move(company, 3)

    assert [(each["pointer"], each["code"]) for each in given.body["errors"]] == [("#/version", "unsupported")]


def test_what_cannot_be_is_refused(company: Company) -> None:
    before = stored_items()
    for version, code in ((3, "unknown"), (0, "too-small"), (1_000_000, "too-large"), ("2", "wrong-type")):
        given = move(company, version)
        assert [(each["pointer"], each["code"]) for each in given.body["errors"]] == [("#/version", code)], version
    assert move(company, 1).status == 200, "the version that the account has is no change"
    assert stored_items() == before
    moved(company)
    assert [each["code"] for each in move(company, 1).body["errors"]] == ["no-change"]
    deactivate(company)
    assert move(company).status == 409


def test_prices_change_with_a_renewal_whatever_becomes_of_the_term(company: Company) -> None:
    """A paid period has one version: a term after which the day is no renewal waits for the withdrawal."""
    refused = (409, "urn:livello:problem:version-between-renewals")
    moved(company)
    yearly = terms.propose(company, 12)
    assert (yearly.status, yearly.body["type"]) == refused
    assert terms.propose(company, 1).status == 200, "the day stays a renewal"
    ask(company, "DELETE")
    shown = pending(moved(company))
    assert shown is not None
    assert shown["effective_on"] == "2026-08-15"
    back = terms.ask(company, "DELETE")
    assert (back.status, back.body["type"]) == refused
    ask(company, "DELETE")
    assert terms.ask(company, "DELETE").status == 204


# ---- Lines meanwhile ----


def test_a_line_takes_the_smallest_tier_that_holds_as_much(company: Company) -> None:
    other = version_of({8000: 4000, 12_000: 5500, 30_000: 9000}, {25_000: 6000, None: 9900})
    assert put_catalogue(other, replaces=2).status == 200
    shown = pending(moved(company, 3))

    assert shown is not None
    assert [(each["before"], each["after"]) for each in shown["lines"]] == [
        (tier(10_000, 4900), tier(12_000, 5500)),
        (tier(25_000, 5900), tier(25_000, 6000)),
    ]
    assert line(subscription(company, noon(SECOND)), "search")["up_to"] == 12_000
    assert line(subscription(company, noon("2026-10-14")), "search")["up_to"] == 10_000


def test_an_agreed_price_stays_and_belongs_to_its_tier(company: Company) -> None:
    put(company, "search", 10_000, 4500)
    put(company, "email", 25_000, 5900)  # as the catalogue has it, and agreed from now on
    shown = pending(moved(company))

    assert shown is not None
    assert [(each["after"]["price_per_month"]["amount"], each["agreed"]) for each in shown["lines"]] == [
        (4500, True),
        (5900, True),
    ]
    later = noon("2026-10-20")
    page = subscription(company, later)
    assert line(page, "search")["price_is_agreed"] is True
    assert line(page, "search")["price_per_month"]["amount"] == 4500
    # With a larger tier the price of the catalogue holds, and staff see it before.
    given = put(company, "search", 25_000, preview=True, now=later)
    assert given.body["replaces_agreed_price"] == {"amount": 4500, "currency": "EUR"}
    put(company, "search", 25_000, now=later)
    change = events("subscription.changed")[-1]
    assert (change.after or {})["replaces_agreed"] == {"amount": 4500, "currency": "EUR"}
    assert mail("subscription.changed", later) == [*BOTH, "staff@livello.example"]
    moved_on = line(subscription(company, noon("2026-11-15")), "search")
    assert (moved_on["price_per_month"]["amount"], moved_on["price_is_agreed"]) == (10_900, False)


def test_an_agreed_tier_that_the_version_does_not_have_is_refused(company: Company) -> None:
    put(company, "search", 10_000, 4500)
    assert put_catalogue(version_of({12_000: 5500}, NEW_EMAIL), replaces=2).status == 200

    assert places(move(company, 3)) == ["#/version"]


def test_a_larger_tier_meanwhile_has_the_new_price_from_the_day_on(company: Company) -> None:
    moved(company)
    given = put(company, "search", 25_000)

    change = line(given, "search")["pending_change"]
    assert (change["effective_on"], change["price_per_month"]["amount"]) == (RENEWAL, 9900)
    assert line(subscription(company, noon(SECOND)), "search")["price_per_month"]["amount"] == 10_900
    assert invoiced(company, "2026-10-16") == [
        (RENEWAL, 25_988 + 17_700 - 1500),
        (SECOND, 28_612 + 3 * 6500 - 1500),
    ]


def test_a_line_added_meanwhile_has_the_new_price_from_the_day_on(company: Company) -> None:
    chat = {"product": "chat", "name": "Chat", "unit": "messages", "tiers": [{"up_to": 100, "prices": {"EUR": 1000}}]}
    cheap, dear = copy.deepcopy(chat), copy.deepcopy(chat)
    for product, price in ((cheap, 1000), (dear, 1500)):
        product["tiers"] = [{"up_to": 100, "prices": {"EUR": price, "DKK": 8 * price}}]
    assert put_catalogue({"products": [*CATALOGUE["products"], cheap]}, replaces=2).status == 200
    assert put_catalogue({"products": [*DEARER["products"], dear]}, replaces=3).status == 200
    assert put_catalogue(DEARER, replaces=4).status == 200
    moved(company, 3)
    assert invoiced(company, "2026-10-16")[-1:] == [(SECOND, QUARTER)], "the same prices"
    now = noon("2026-10-20")
    moved(company, 4, now)
    given = put(company, "chat", 100, now=now)

    assert follows(given)[1] == [("2026-11-15", 2000), (THIRD, THIRD_QUARTER + 3 * 1500)]
    assert line(subscription(company, noon(THIRD)), "chat")["price_per_month"]["amount"] == 1500
    assert places(move(company, 5, now=now)) == ["#/version"], "which does not have it"


def test_what_the_next_version_does_not_have_is_not_added(company: Company) -> None:
    moved(company)
    narrow = version_of({10_000: 5900}, NEW_EMAIL)
    assert put_catalogue(narrow, replaces=2).status == 200
    moved(company, 3)

    assert places(put(company, "search", 25_000)) == ["#/up_to"]
    assert places(put(company, "search", None, 20_000)) == ["#/up_to"]


def test_a_line_that_ends_before_the_day_is_not_in_the_way(company: Company) -> None:
    assert put_catalogue({"products": DEARER["products"][:1]}, replaces=2).status == 200
    end(company, "email")
    given = moved(company, 3)

    shown = pending(given)
    assert shown is not None
    assert [each["product"] for each in shown["lines"]] == ["search"]
    assert invoiced(company, "2026-10-16")[-1:] == [(SECOND, 3 * 5163 - 1 - 1500)]


# ---- Autoscaling ----


def test_autoscaling_reads_the_tiers_of_the_day_that_it_decides_for(
    company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """450 a day is 13,700 a month: above 10,000, and within the 15,000 that only the new version has."""
    monkeypatch.setenv("JOB", "autoscaling")
    other = version_of({10_000: 5000, 15_000: 7000, 25_000: 12_000}, NEW_EMAIL)
    assert put_catalogue(other, replaces=2).status == 200
    moved(company, 3)
    use(450, date(2026, 6, 15), date(2026, 9, 30))
    run(noon("2026-10-02"), work_queue)

    [event] = events("subscription.autoscaled")
    assert event.after is not None
    assert str(event.after["effective_on"]) == SECOND
    assert (event.after["before"]["price"]["amount"], event.after["after"]["up_to"]) == (5000, 15_000)
    later = line(subscription(company, noon(SECOND)), "search")
    assert (later["up_to"], later["price_per_month"]["amount"]) == (15_000, 7000)
    # A withdrawal takes the move back with the tier that only that version has.
    ask(company, "DELETE", now=noon("2026-10-10"))
    kept = line(subscription(company, noon(SECOND)), "search")
    assert (kept["up_to"], kept["price_per_month"]["amount"]) == (10_000, 4900)


def test_a_move_before_the_day_gets_the_price_of_each_version(
    company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB", "autoscaling")
    moved(company)
    use(450, date(2026, 3, 15), date(2026, 6, 30))
    run(noon("2026-07-02"), work_queue)

    [event] = events("subscription.autoscaled")
    assert event.after is not None
    assert event.after["after"]["price"]["amount"] == 9900
    assert line(subscription(company, noon("2026-07-15")), "search")["price_per_month"]["amount"] == 9900
    assert line(subscription(company, noon(SECOND)), "search")["price_per_month"]["amount"] == 10_900


def test_an_agreed_price_that_autoscaling_ends_is_told_to_staff(
    company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JOB", "autoscaling")
    put(company, "search", 10_000, 4500)
    use(450, date(2026, 4, 15), date(2026, 7, 31))
    run(noon("2026-08-02"), work_queue)

    [event] = events(EventType.SUBSCRIPTION_AUTOSCALED)
    assert event.after is not None
    assert event.after["replaces_agreed"] is True
    assert event.after["before"]["price"]["amount"] == 4500
    assert "staff@livello.example" in mail("subscription.autoscaled", noon("2026-08-02"))
