"""Staff add products to a running account, end them, and move them to larger tiers and agreed prices."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pytest
from billing import wiring
from billing.accounts.rules import existing
from billing.invoicing.reconciliation.commands import _books
from billing.invoicing.reconciliation.rules import Ledger, Rule, findings

from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.get_billing.app import handler as get_billing
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import UserPool, stored_items
from tests.company import Company, make_company, put_catalogue
from tests.functions.ending import deactivate
from tests.functions.test_autoscaling import events, run, use
from tests.functions.test_discounts import QUARTER, invoiced
from tests.functions.test_usage_page import see, series
from tests.samples import CATALOGUE
from tests.stores import Stores
from tests.usage import cloud_event, report

ROUTE = "/accounts/{account}/subscription/lines/{product}"
NEXT_MONTH, RENEWAL, AFTER_NOTICE = "2026-06-15", "2026-07-15", "2026-10-15"
CHAT = {
    "product": "chat",
    "name": "Chat",
    "unit": "messages",
    "tiers": [
        {"up_to": 100, "prices": {"EUR": 1000, "DKK": 7500}},
        {"up_to": 1000, "prices": {"EUR": 5000, "DKK": 37_500}},
    ],
}
WITH_CHAT = {"products": [*CATALOGUE["products"], CHAT]}
WISH = {"reason": "They asked for it"}


@pytest.fixture
def company(store: Stores, user_pool: UserPool) -> Company:
    """The sample account with chat in its catalogue. The quarter until RENEWAL is invoiced."""
    assert put_catalogue(WITH_CHAT).status == 200
    company = make_company()
    assert len(invoiced(company, "2026-06-10")) == 2
    return company


def subscription(company: Company, now: datetime = NOW) -> Answer:
    route = "/accounts/{account}/subscription"
    return answer(get_billing, request("GET", route, claims=company.member, path=company.path, now=now))


def ask(
    company: Company,
    method: str,
    product: str,
    body: dict[str, Any] | None = None,
    *,
    ending: bool = False,
    tag: str | None = None,
    preview: bool = False,
    now: datetime = NOW,
    claims: dict[str, str] = STAFF,
) -> Answer:
    """A change of a product, at the version that the caller sees unless `tag` names another ("": none)."""
    headers = {"If-Match": tag or subscription(company).headers["ETag"]} if tag != "" else {}
    event = request(
        method,
        ROUTE + ("/ending" if ending else ""),
        claims=claims,
        path={**company.path, "product": product},
        body=body,
        headers=headers,
        query={"preview": "true"} if preview else None,
        now=now,
    )
    return answer(administer_subscriptions, event)


def put(company: Company, product: str, up_to: int | None, price: int | None = None, **more: Any) -> Answer:
    currency = more.pop("currency", "EUR")
    agreed = {} if price is None else {"price": {"amount": price, "currency": currency}}
    return ask(company, "PUT", product, {"up_to": up_to, **agreed, **WISH}, **more)


def end(company: Company, product: str, ends_on: str | None = None, **more: Any) -> Answer:
    return ask(company, "PUT", product, {"ends_on": ends_on, **WISH}, ending=True, **more)


def keep(company: Company, product: str, **more: Any) -> Answer:
    return ask(company, "DELETE", product, ending=True, tag="", **more)


def follows(given: Answer) -> tuple[str | None, list[tuple[str, int]], list[tuple[str, int]]]:
    """The day of a change, and day and net of the invoices to come with it and without it."""
    assert given.status == 200, given
    shown = given.body["follows"]
    with_it, without = (
        [(each["on"], each["net"]["amount"]) for each in shown[name]] for name in ("invoices", "invoices_without")
    )
    return shown["effective_on"], with_it, without


def line(given: Answer, product: str) -> dict[str, Any]:
    lines = given.body.get("subscription", given.body)["lines"]
    [found] = [each for each in lines if each["product"] == product]
    return dict(found)


def places(given: Answer) -> list[str]:
    assert given.status == 422, given
    return [each["pointer"] for each in given.body["errors"]]


# ---- A product more ----


def test_a_product_is_added_from_the_next_contract_month(company: Company) -> None:
    chat = cloud_event("chat", product="chat")
    assert report([chat]).body["results"][0]["errors"][0]["code"] == "unknown"
    given = put(company, "chat", 100)

    # It costs something for the last month of the quarter that is paid, then with the others.
    assert follows(given) == (
        NEXT_MONTH,
        [(NEXT_MONTH, 1000), (RENEWAL, QUARTER + 3000)],
        [(RENEWAL, QUARTER)],
    )
    added = line(given, "chat")
    assert (added["begins_on"], added["ends_on"], added["up_to"]) == (NEXT_MONTH, None, 100)
    # Its usage counts at once.
    assert report([chat]).body["results"][0]["outcome"] == "accepted"
    [event] = events("subscription.changed")
    assert event.before is None
    assert (event.after or {})["change"] == "added"
    assert invoiced(company, "2026-06-16")[2:] == [(NEXT_MONTH, 1000)]
    assert invoiced(company, "2026-07-16")[3:] == [(RENEWAL, QUARTER + 3000)]
    assert line(subscription(company, datetime(2026, 6, 15, 12, tzinfo=UTC)), "chat")["begins_on"] is None


def test_a_late_run_invoices_a_new_product_from_its_month_on(company: Company) -> None:
    put(company, "chat", 100)

    assert invoiced(company, "2026-10-16")[2:] == [
        (NEXT_MONTH, 1000),
        (RENEWAL, QUARTER + 3000),
        (AFTER_NOTICE, QUARTER + 3000),
    ]


def test_a_product_added_while_the_run_is_late_costs_nothing_before_its_month(company: Company) -> None:
    """The quarter from RENEWAL on has begun and is not invoiced."""
    later = datetime(2026, 8, 1, 12, tzinfo=UTC)

    assert follows(put(company, "chat", 100, now=later))[0] == "2026-08-15"
    assert invoiced(company, "2026-08-02")[2:] == [(RENEWAL, QUARTER)]
    assert invoiced(company, "2026-08-16")[3:] == [("2026-08-15", 2000)]


def test_the_price_of_a_new_product_can_be_agreed(company: Company) -> None:
    assert follows(put(company, "chat", 100, 800))[1][0] == (NEXT_MONTH, 800)


# ---- A product less ----


def test_a_product_ends_with_the_notice_of_a_cancellation(company: Company) -> None:
    given = end(company, "email")

    # Asked in the month until 15 June: the notice ends on 15 July, which is a renewal.
    assert follows(given) == (RENEWAL, [(RENEWAL, QUARTER - 17_700)], [(RENEWAL, QUARTER)])
    assert line(given, "email")["ends_on"] == RENEWAL
    assert invoiced(company, "2026-07-16")[2:] == [(RENEWAL, QUARTER - 17_700)]
    later = datetime(2026, 7, 15, 12, tzinfo=UTC)
    assert [each["product"] for each in subscription(company, later).body["lines"]] == ["search"]
    # Usage of its last day counts, that of a later one does not.
    for day, code in ((14, None), (15, "unknown")):
        time = datetime(2026, 7, day, 11, tzinfo=UTC)
        [result] = report([cloud_event(f"{day}", product="email", time=time)], now=later).body["results"]
        assert (result.get("errors") or [{"code": None}])[0]["code"] == code


def test_a_notice_of_the_next_month_ends_with_the_renewal_after(company: Company) -> None:
    later = datetime(2026, 6, 15, 12, tzinfo=UTC)

    assert follows(end(company, "email", now=later))[0] == AFTER_NOTICE


def test_the_last_product_does_not_end(company: Company) -> None:
    assert end(company, "email").status == 200
    given = end(company, "search")

    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:last-product")


def test_the_day_that_was_shown_is_confirmed(company: Company) -> None:
    shown = end(company, "email", tag="", preview=True).body["follows"]["effective_on"]
    later = datetime(2026, 6, 15, 12, tzinfo=UTC)

    given = end(company, "email", shown, now=later)
    assert (given.status, given.body["type"]) == (409, "urn:livello:problem:end-changed")
    assert end(company, "email", shown).status == 200
    assert end(company, "email", shown).status == 200, "the same again is no change"
    assert len(events("subscription.changed")) == 1


def test_an_admin_takes_the_end_back_before_its_day(company: Company) -> None:
    end(company, "email")
    eve = datetime(2026, 7, 14, 12, tzinfo=UTC)
    given = keep(company, "email", claims=company.admin, now=eve)

    assert follows(given) == (RENEWAL, [(RENEWAL, QUARTER)], [(RENEWAL, QUARTER - 17_700)])
    assert invoiced(company, "2026-07-16")[2:] == [(RENEWAL, QUARTER)]
    assert keep(company, "email", now=eve).status == 409, "nothing is left to take back"
    assert [(each.after or {})["change"] for each in events("subscription.changed")] == ["ending", "kept"]


def test_an_end_that_has_come_is_not_taken_back(company: Company) -> None:
    end(company, "email")

    assert keep(company, "email", now=datetime(2026, 7, 15, 12, tzinfo=UTC)).status == 404


def test_a_product_to_come_ends_before_it_begins(company: Company) -> None:
    put(company, "chat", 100)

    assert follows(end(company, "chat"))[0] == NEXT_MONTH
    # It was entered by mistake: the right tier can follow at once.
    assert follows(put(company, "chat", 1000))[1][0] == (NEXT_MONTH, 5000)
    assert follows(end(company, "chat"))[0] == NEXT_MONTH
    assert invoiced(company, "2026-07-16")[2:] == [(RENEWAL, QUARTER)]


def test_a_product_comes_back_once_its_end_is_invoiced(company: Company) -> None:
    end(company, "email")
    later = datetime(2026, 7, 16, 12, tzinfo=UTC)

    assert places(put(company, "email", 10_000)) == ["#/product"]
    assert places(put(company, "email", 10_000, now=later)) == ["#/product"], "the run is late"
    assert invoiced(company, "2026-07-16")[2:] == [(RENEWAL, QUARTER - 17_700)]
    assert follows(put(company, "email", 10_000, now=later))[0] == "2026-08-15"
    # Its usage of the time before counts, also if it is reported late.
    time = datetime(2026, 7, 14, 11, tzinfo=UTC)
    [result] = report([cloud_event("late", product="email", time=time)], now=later).body["results"]
    assert result["outcome"] == "accepted"
    assert invoiced(company, "2026-08-16")[3:] == [("2026-08-15", 2 * 2900)]


def test_usage_of_a_product_that_has_ended_is_shown_for_the_days_before(company: Company) -> None:
    end(company, "email")
    time = datetime(2026, 7, 14, 11, tzinfo=UTC)
    report([cloud_event("last", product="email", time=time)], now=time)
    after = datetime(2026, 7, 20, 12, tzinfo=UTC)

    given = see(company, now=after, from_="2026-07-01", until="2026-07-21")
    assert "email" in series(given)
    [ended] = [each for each in given.body["products"] if each["product"] == "email"]
    assert (ended["forecast"], ended["up_to"]) == (None, 25_000)
    assert "email" not in series(see(company, now=after, from_="2026-07-15", until="2026-07-21"))


# ---- A larger tier, an agreed price ----


def test_a_larger_tier_begins_with_the_next_contract_month(company: Company) -> None:
    given = put(company, "search", 25_000)
    # The quarter costs 2 * 42.875 and 86.625 instead of 3 * 42.875, the next one 3 * 86.625; each is rounded once.
    difference, quarter = 17_238 - 12_862, 25_988 + 17_700 - 1500

    assert follows(given) == (NEXT_MONTH, [(NEXT_MONTH, difference), (RENEWAL, quarter)], [(RENEWAL, QUARTER)])
    assert line(given, "search")["pending_change"]["effective_on"] == NEXT_MONTH
    [event] = events("subscription.changed")
    assert (event.after or {})["line"]["up_to"] == 25_000
    assert (event.before or {})["line"]["up_to"] == 10_000
    assert invoiced(company, "2026-07-16")[2:] == [(NEXT_MONTH, difference), (RENEWAL, quarter)]
    assert put(company, "search", 25_000).status == 200
    assert len(events("subscription.changed")) == 1, "the same again is no change"


def test_the_tier_that_is_left_to_an_agreement_needs_a_price(company: Company) -> None:
    assert places(put(company, "search", None)) == ["#/up_to"]
    assert follows(put(company, "search", None, 20_000))[1][0] == (NEXT_MONTH, (20_000 - 4900) * 7 // 8 + 1)
    assert line(subscription(company, datetime(2026, 6, 15, 12, tzinfo=UTC)), "search")["up_to"] is None


def test_an_agreed_price_for_the_same_tier_begins_with_the_next_renewal(company: Company) -> None:
    given = put(company, "email", 25_000, 5000)

    assert follows(given) == (RENEWAL, [(RENEWAL, QUARTER - 2700)], [(RENEWAL, QUARTER)])
    assert invoiced(company, "2026-07-16")[2:] == [(RENEWAL, QUARTER - 2700)]


def test_a_larger_tier_that_costs_less_begins_with_the_next_renewal(company: Company) -> None:
    assert follows(put(company, "search", 25_000, 4000))[0] == RENEWAL


def test_a_wish_is_not_lowered_by_autoscaling(
    company: Company, work_queue: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Usage of 400 a day belongs in the tier of 25,000. The wish for more than that stays."""
    monkeypatch.setenv("JOB", "autoscaling")
    use(400, date(2026, 3, 1), date(2026, 6, 30))
    put(company, "search", None, 20_000, now=datetime(2026, 7, 1, tzinfo=UTC))
    run(datetime(2026, 7, 2, 12, tzinfo=UTC), work_queue)

    assert [item["sk"] for item in stored_items() if item["sk"].startswith("DECISION#2026-07#search")]
    assert events("subscription.autoscaled") == []
    pending = line(subscription(company, datetime(2026, 7, 3, tzinfo=UTC)), "search")["pending_change"]
    assert pending["price_per_month"]["amount"] == 20_000


def differences(account: str, now: datetime) -> list[tuple[str, str]]:
    """What the books of the account have that differs, without a payment service."""
    store = wiring.reconciliation_store()
    recorded = existing(store.books(account, date(2026, 1, 1)))
    found = findings(_books(recorded, wiring.invoicing_settings()), Ledger(), now)
    return [(each.rule, each.subject) for each in found if each.rule is Rule.OWED_DIFFERS]


def test_the_books_agree_while_changes_are_to_come_and_after_them(company: Company) -> None:
    put(company, "chat", 100)
    put(company, "search", 25_000)
    end(company, "email")

    assert differences(company.account, NOW) == []
    for day in (16, 30):
        invoiced(company, f"2026-06-{day}")
        assert differences(company.account, datetime(2026, 6, day, 13, tzinfo=UTC)) == []
    invoiced(company, "2026-07-16")
    assert differences(company.account, datetime(2026, 7, 16, 13, tzinfo=UTC)) == []


def test_changes_that_cannot_be_are_refused(company: Company) -> None:
    before = stored_items()

    assert places(put(company, "email", 10_000)) == ["#/up_to"], "a smaller tier"
    assert places(put(company, "email", 30_000)) == ["#/up_to"]
    assert places(put(company, "email", 30_000, 1)) == ["#/up_to"]
    assert places(put(company, "phone", 100)) == ["#/product"]
    assert places(put(company, "phone", 100, 1)) == ["#/product"]
    assert places(put(company, "chat", 100, 0)) == ["#/price/amount"]
    assert places(put(company, "chat", 100, -1)) == ["#/price/amount"]
    assert places(put(company, "chat", 100, 1, currency="DKK")) == ["#/price/currency"]
    assert end(company, "chat").status == 404
    assert keep(company, "email").status == 409
    assert put(company, "chat", 100, tag="").status == 428
    assert put(company, "chat", 100, tag='"7"').status == 412
    assert put(company, "chat", 100, tag="", preview=True).status == 200
    assert end(company, "email", tag="", preview=True).status == 200
    assert stored_items() == before


def test_a_cancelled_account_gets_no_other_products(company: Company) -> None:
    deactivate(company)

    assert put(company, "chat", 100).status == 409
    assert end(company, "email").status == 409
