"""Staff change the discounts of a running account, from the next renewal on that is not invoiced."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from billing import wiring
from billing.invoicing.issue_invoices import issue_invoices

from functions.administer_subscriptions.app import handler as administer_subscriptions
from tests.api_gateway import NOW, STAFF, Answer, answer, request
from tests.aws import stored_items
from tests.company import Company, provisioned
from tests.functions.ending import deactivate, invoiced_elsewhere
from tests.functions.test_autoscaling import events
from tests.samples import ACCOUNT

ROUTE = "/accounts/{account}/discounts"
LAUNCH, LOYALTY = ({"percent": None, "amount": None, **each} for each in ACCOUNT["discounts"])
RENEWAL = "2026-07-15"
QUARTER = 29_062
"""Search for 3 * 42.875, e-mail for 3 * 59.00, less 3 * 5.00."""
MORE = {"product": "email", "percent": "10", "amount": None, "from": RENEWAL, "until": None, "reason": "A second shop"}


@pytest.fixture
def company(company: Company) -> Company:
    """The sample account. The quarter until RENEWAL is invoiced."""
    invoiced_elsewhere(company)
    return company


def listed(company: Company, now: datetime = NOW) -> Answer:
    return answer(administer_subscriptions, request("GET", ROUTE, claims=company.member, path=company.path, now=now))


def change(
    company: Company, *discounts: dict[str, Any], tag: str | None = None, preview: bool = False, now: datetime = NOW
) -> Answer:
    """Staff replace the discounts, at the version that they see unless `tag` names another ("": none)."""
    headers = {"If-Match": tag or listed(company).headers["ETag"]} if tag != "" else {}
    query = {"preview": "true"} if preview else None
    body = {"discounts": list(discounts)}
    event = request("PUT", ROUTE, claims=STAFF, path=company.path, body=body, headers=headers, query=query, now=now)
    return answer(administer_subscriptions, event)


def refusals(given: Answer) -> list[str]:
    assert given.status == 422, given
    return [each["pointer"] for each in given.body["errors"]]


def invoiced(company: Company, day: str) -> list[tuple[str, int]]:
    """What a run at noon of a day has issued in all: day and net of each invoice, the oldest first."""
    now = datetime.fromisoformat(f"{day}T12:00:00+00:00")
    issue_invoices(
        company.account, now=now, correlation="run", settings=wiring.invoicing_settings(), store=wiring.invoice_store()
    )
    return [(str(each.after["since"]), each.after["net"]["amount"]) for each in events("invoice.issued") if each.after]


def test_a_discount_begins_with_the_next_renewal(company: Company) -> None:
    given = change(company, LAUNCH, LOYALTY, MORE)

    assert given.status == 200, given
    assert given.body["discounts"] == {"changes_from": RENEWAL, "discounts": [LAUNCH, LOYALTY, MORE]}
    follows = given.body["follows"]
    assert follows["effective_on"] == RENEWAL
    assert [each["net"]["amount"] for each in follows["invoices_without"]] == [QUARTER]
    assert [each["net"]["amount"] for each in follows["invoices"]] == [QUARTER - 3 * 590]
    assert given.headers["ETag"] == listed(company).headers["ETag"]
    [event] = events("discounts.changed")
    assert event.after is not None
    assert event.after["discounts"][-1]["reason"] == "A second shop"
    assert len((event.before or {})["discounts"]) == 2
    # What was shown is what is invoiced.
    assert invoiced(company, "2026-07-16") == [(RENEWAL, QUARTER - 3 * 590)]


def test_a_discount_that_is_left_out_ends_with_the_next_renewal(company: Company) -> None:
    given = change(company, LAUNCH)

    assert given.body["discounts"]["discounts"] == [LAUNCH, {**LOYALTY, "until": RENEWAL}]
    assert invoiced(company, "2026-07-16") == [(RENEWAL, QUARTER + 3 * 500)]
    # The same request again changes nothing, whatever version it names.
    assert change(company, LAUNCH, tag='"1"').status == 200
    assert len(events("discounts.changed")) == 1


def test_a_change_made_while_the_run_is_late_leaves_the_period_that_has_begun(company: Company) -> None:
    later = datetime(2026, 7, 20, 12, tzinfo=UTC)
    given = change(company, LAUNCH, now=later)

    assert given.body["discounts"]["changes_from"] == "2026-10-15"
    assert invoiced(company, "2026-07-21") == [(RENEWAL, QUARTER)]
    assert invoiced(company, "2026-10-16") == [(RENEWAL, QUARTER), ("2026-10-15", QUARTER + 3 * 500)]


def test_a_discount_to_come_can_be_taken_back(company: Company) -> None:
    change(company, LAUNCH, LOYALTY, MORE)
    given = change(company, LAUNCH, LOYALTY)

    assert given.body["discounts"]["discounts"] == [LAUNCH, LOYALTY]
    assert invoiced(company, "2026-07-16") == [(RENEWAL, QUARTER)]


def test_the_end_of_a_discount_can_be_moved(company: Company) -> None:
    longer = {**LAUNCH, "until": "2028-01-15"}
    given = change(company, longer, {**LOYALTY, "until": "2026-08-15"})

    assert given.body["follows"]["effective_on"] == "2026-08-15"
    assert given.body["discounts"]["discounts"] == [longer, {**LOYALTY, "until": "2026-08-15"}]
    assert invoiced(company, "2026-07-16") == [(RENEWAL, QUARTER + 2 * 500)]


REFUSED: list[tuple[list[dict[str, Any]], str]] = [
    ([LAUNCH, LOYALTY, {**MORE, "from": "2026-07-14"}], "#/discounts/2/from"),  # that month is invoiced
    ([LAUNCH, LOYALTY, {**MORE, "from": "2026-01-15"}], "#/discounts/2/from"),
    ([LAUNCH, LOYALTY, {**MORE, "from": "2062-07-15"}], "#/discounts/2/from"),
    ([{**LAUNCH, "until": "2026-07-14"}, LOYALTY], "#/discounts/0/until"),
    ([LAUNCH, LOYALTY, {**MORE, "product": "chat"}], "#/discounts/2/product"),
    ([LAUNCH, LOYALTY, LOYALTY], "#/discounts/2"),
    ([LAUNCH, LOYALTY, {**MORE, "percent": None, "amount": 5901}], "#/discounts/2/amount"),
    ([LAUNCH, LOYALTY, {**MORE, "product": "search", "percent": "87.6"}], "#/discounts/2/percent"),
    ([LAUNCH, LOYALTY, {**MORE, "product": None, "percent": None, "amount": 10_000}], "#/discounts/2/amount"),
    ([LAUNCH, LOYALTY, {**MORE, "percent": None, "amount": 0}], "#/discounts/2/amount"),
    ([LAUNCH, LOYALTY, {**MORE, "percent": None, "amount": -1}], "#/discounts/2/amount"),
    ([LAUNCH, LOYALTY, {**MORE, "percent": "100.1"}], "#/discounts/2/percent"),
]
"""Discounts that cannot be, each with the place of the fault."""


def test_changes_that_cannot_be_are_refused(company: Company) -> None:
    before = stored_items()

    for discounts, pointer in REFUSED:
        assert refusals(change(company, *discounts)) == [pointer], discounts
    assert stored_items() == before


def test_a_month_can_be_free(company: Company) -> None:
    given = change(company, LAUNCH, LOYALTY, {**MORE, "product": None, "percent": "100"})

    assert refusals(given) == ["#/discounts/2/percent"]  # with the amount of the loyalty it is too much
    assert change(company, LAUNCH, {**MORE, "product": None, "percent": "100"}).status == 200
    assert invoiced(company, "2026-07-16") == []


def test_a_preview_shows_the_same_and_changes_nothing(company: Company) -> None:
    before = stored_items()
    shown = change(company, LAUNCH, MORE, tag="", preview=True)

    assert stored_items() == before
    assert shown.body == change(company, LAUNCH, MORE).body


def test_a_change_names_the_version_that_it_replaces(company: Company) -> None:
    tag = listed(company).headers["ETag"]

    assert change(company, LAUNCH, tag="").status == 428
    assert change(company, LAUNCH, tag=tag).status == 200
    assert change(company, LOYALTY, tag=tag).status == 412


def test_a_cancelled_account_gets_no_other_discounts(company: Company) -> None:
    deactivate(company)

    assert change(company, LAUNCH).status == 409


def test_ended_discounts_are_forgotten_once_no_invoice_needs_them(company: Company) -> None:
    now = NOW
    for year in range(2027, 2037):
        kept = {**MORE, "from": f"{year}-01-15", "reason": str(year)}
        now = datetime(year - 1, 12, 20, tzinfo=UTC)
        assert change(company, kept, now=now).status == 200
        invoiced_elsewhere(company, (year - 2026) * 12 + 3)

    kept_ones = wiring.billing_page_store().billing_page(company.account).subscription.discounts
    assert len(kept_ones) <= 4


def test_discounts_that_differ_in_their_ends_alone_are_changed_one_by_one(company: Company) -> None:
    twice = [
        {"product": "email", "percent": "10", "from": "2026-04-15", "until": until, "reason": "A second shop"}
        for until in ("2026-07-15", "2026-10-15", None)
    ]
    assert provisioned({**ACCOUNT, "account": "twice", "discounts": twice}).status == 201
    company = Company("twice", STAFF, STAFF)
    invoiced_elsewhere(company)
    stored = listed(company).body["discounts"]
    assert [each["until"] for each in stored] == [each["until"] for each in twice]

    same = change(company, *stored)
    assert (same.status, same.body.get("discounts", {}).get("discounts")) == (200, stored), same
    one_less = change(company, *stored[:2])
    assert [each["until"] for each in one_less.body["discounts"]["discounts"]] == [
        "2026-07-15",
        "2026-10-15",
        "2026-07-15",
    ]
    # Those that are over do not take the place of one that is not.
    longer = {**stored[1], "until": "2027-01-15"}
    given = change(company, longer, now=datetime(2026, 8, 1, 12, tzinfo=UTC))
    assert given.body["discounts"]["discounts"] == [longer], given
