"""Cancelling an account: admins only, every date shown before, a receipt, withdrawal, and the end on its day."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.accounts.rules import existing
from billing.ending.cancellation.commands import CancellationRequest, cancel_account
from billing.ending.cancellation.rules import Reason
from billing.invoicing.issue_invoices import issue_invoices
from billing.kernel.errors import ConcurrentChange
from billing.kernel.money import Money
from billing.subscriptions.rules import Cause, TierChange
from billing.usage.rules import UsageEvent

from functions.administer_cancellation.app import handler as cancellation
from functions.get_billing.app import handler as get_billing
from functions.get_invoices.app import handler as get_invoices
from functions.record_usage.app import handler as record_usage
from scripts.schedule_jobs import schedule_notices
from tests.api_gateway import MACHINE, NOW, STAFF, answer, person, request
from tests.aws import REGION, TABLE, put_item, stored_items
from tests.company import Company, provisioned
from tests.functions.ending import (
    CANCELLATION,
    CONTRACT_ENDS,
    ENDED,
    WHY,
    call_cancellation,
    cancel,
    deactivate,
    events_of,
    fire,
    invoiced_elsewhere,
)
from tests.samples import ACCOUNT, with_value
from tests.store.samples import CONTEXT
from tests.usage import cloud_event

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture
def company(company: Company) -> Company:
    """The sample account. All that it owes by now is invoiced."""
    invoiced_elsewhere(company)
    return company


def status(company: Company) -> str:
    event = request("GET", "/accounts/{account}/billing", claims=company.member, path=company.path)
    current: str = answer(get_billing, event).body["status"]
    return current


# ---- Preview ------------------------------------------------------------------------------------------


def test_an_admin_sees_every_date_before_cancelling(company: Company) -> None:
    view = call_cancellation(company, "GET").body

    assert (view["status"], view["receipt"]) == ("active", None)
    assert view["preview"] == {
        "notice_ends": "2026-07-15",
        "active_until": CONTRACT_ENDS,
        "charges_still_due": [],
        "charges": {"invoices": 0, "total": {"amount": 0, "currency": "EUR"}},
        "next_avoidable_renewal": "2026-07-15",
        "last_day_to_avoid_it": "2026-06-14",
        "purge_on": "2026-07-29",
        "goodwill_lapses": {"amount": 0, "currency": "EUR"},
    }
    assert view["reasons"] == [
        "too_expensive",
        "not_used",
        "missing_features",
        "other_vendor",
        "closing_business",
        "other",
    ]


def test_a_day_after_the_last_day_the_renewal_is_still_charged(company: Company) -> None:
    last, after = (datetime(2026, 6, day, 20, tzinfo=UTC) for day in (14, 15))
    assert call_cancellation(company, "GET", now=last).body["preview"]["charges_still_due"] == []

    late = call_cancellation(company, "GET", now=after).body["preview"]

    assert late["active_until"] == "2026-10-15"
    # The renewal before tax, the same figure as in tests/functions/test_billing_page.py.
    amount = {"amount": 12_862 + 17_700 - 1_500, "currency": "EUR"}
    tax, total = {"amount": 7_266, "currency": "EUR"}, {"amount": 36_328, "currency": "EUR"}
    charge = {"on": "2026-07-15", "amount": amount, "net": amount, "tax": tax, "total": total}
    assert late["charges_still_due"] == [charge]
    assert (late["next_avoidable_renewal"], late["last_day_to_avoid_it"]) == ("2026-10-15", "2026-09-14")


def test_dates_count_in_the_time_zone_of_the_account(company: Company) -> None:
    """In Copenhagen 15 June begins at 22:00 UTC on 14 June."""
    assert (
        call_cancellation(company, "GET", now=datetime(2026, 6, 14, 21, 59, tzinfo=UTC)).body["preview"][
            "charges_still_due"
        ]
        == []
    )
    assert call_cancellation(company, "GET", now=datetime(2026, 6, 14, 22, 0, tzinfo=UTC)).body["preview"][
        "charges_still_due"
    ]


def test_products_used_in_the_last_seven_days_are_listed(company: Company) -> None:
    def usage_on(product: str, day: date) -> UsageEvent:
        noon = datetime(day.year, day.month, day.day, 12, tzinfo=UTC)
        return UsageEvent(ACCOUNT["account"], "t", f"{product}", product, "nordlys-dk", None, noon, day, Decimal(3))

    events = [usage_on("search", date(2026, 6, 4)), usage_on("email", date(2026, 6, 2))]
    assert wiring.usage_store().count(events, lambda _: None) == {}

    assert call_cancellation(company, "GET").body["products_in_use"] == ["Search"]


# ---- Request -------------------------------------------------------------------------------------------


def test_a_cancellation_returns_a_receipt(company: Company) -> None:
    response = cancel(company)

    assert response.status == 201
    receipt = response.body
    assert (receipt["reason"], receipt["text"]) == (WHY["reason"], WHY["text"])
    assert receipt["requested_by"] == {"name": "Ada Holm", "email": "ada@nordlys.example"}
    assert (receipt["active_until"], receipt["purge_on"]) == (CONTRACT_ENDS, "2026-07-29")
    assert (status(company), call_cancellation(company, "GET").body["receipt"]) == ("cancelling", receipt)
    [event] = events_of("cancellation.requested")
    assert (event.after or {})["receipt"] == receipt["receipt"]
    assert event.actor.user == company.admin["sub"]


def test_a_second_cancellation_returns_the_same_receipt(company: Company) -> None:
    first = cancel(company)
    before = stored_items()

    again = cancel(company, now=NOW + timedelta(days=9))
    other = call_cancellation(
        company, "POST", {**WHY, "reason": "other", "text": "Another text altogether", "active_until": "2030-01-01"}
    )

    assert first.body == again.body == other.body
    assert stored_items() == before


def test_changed_dates_are_refused_with_the_new_preview(company: Company) -> None:
    response = cancel(company, now=datetime(2026, 6, 14, 22, 30, tzinfo=UTC))

    assert (response.status, response.body["type"]) == (409, "urn:livello:problem:cancellation-dates-changed")
    assert response.body["preview"]["active_until"] == "2026-10-15"
    current = call_cancellation(company, "GET", now=datetime(2026, 6, 14, 22, 30, tzinfo=UTC)).body
    assert [*response.body] == ["type", "title", "status", "detail", "preview"]
    assert list(response.body["preview"].items()) == list(current["preview"].items())
    assert status(company) == "active"


LATE = datetime(2026, 6, 15, 20, tzinfo=UTC)
"""One day too late to avoid the renewal of 15 July."""


def raise_tier(company: Company) -> None:
    """Search moves to a tier of 199.00 with the next renewal."""
    store = wiring.autoscaling_store()
    state = existing(store.state(company.account))
    assert state.due is not None
    day = LATE.date()
    change = TierChange("search", 50_000, Money(19_900, "EUR"), date(2026, 7, 15), Cause.REVIEW, "review", day)
    store.decide(state, (), state.subscriber.change_tiers((change,), day), (), state.due, LATE)


def test_the_charges_that_were_shown_are_confirmed(company: Company) -> None:
    shown = call_cancellation(company, "GET", now=LATE).body["preview"]

    confirmed = call_cancellation(
        company, "POST", {**WHY, "active_until": "2026-10-15", "charges": shown["charges"]}, now=LATE
    )

    assert shown["charges"] == {"invoices": 1, "total": {"amount": 36_328, "currency": "EUR"}}
    assert confirmed.status == 201
    assert confirmed.body["charges_still_due"] == shown["charges_still_due"]


def test_changed_charges_are_refused_with_the_new_preview(company: Company) -> None:
    """A tier moves while an admin reads what is still charged: the dates are the same."""
    shown = call_cancellation(company, "GET", now=LATE).body["preview"]
    raise_tier(company)
    before = stored_items()

    refused = call_cancellation(
        company, "POST", {**WHY, "active_until": "2026-10-15", "charges": shown["charges"]}, now=LATE
    )

    assert (refused.status, refused.body["type"]) == (409, "urn:livello:problem:cancellation-charges-changed")
    assert stored_items() == before
    current = call_cancellation(company, "GET", now=LATE).body["preview"]
    assert refused.body["preview"] == current
    assert current["active_until"] == shown["active_until"]
    assert current["charges"]["total"]["amount"] > shown["charges"]["total"]["amount"]
    again = {**WHY, "active_until": "2026-10-15", "charges": current["charges"]}
    assert call_cancellation(company, "POST", again, now=LATE).status == 201


def test_a_renewal_that_was_issued_meanwhile_is_no_charge_to_come(company: Company) -> None:
    renewal = datetime(2026, 7, 14, 22, 3, tzinfo=UTC)
    shown = call_cancellation(company, "GET", now=renewal).body["preview"]
    numbers = issue_invoices(
        company.account,
        now=renewal,
        correlation="run",
        settings=wiring.invoicing_settings(),
        store=wiring.invoice_store(),
    )

    request_ = {**WHY, "active_until": shown["active_until"], "charges": shown["charges"]}
    refused = call_cancellation(company, "POST", request_, now=renewal)

    assert len(numbers) == 1
    assert (refused.status, refused.body["preview"]["charges"]["invoices"]) == (409, 0)


def test_a_client_that_does_not_know_the_charges_confirms_the_dates(company: Company) -> None:
    raise_tier(company)

    assert cancel(company, "2026-10-15", now=LATE).status == 201


def test_a_tier_that_moves_between_the_read_and_the_write_is_refused(company: Company) -> None:
    """The receipt would name another charge than is made."""
    store, seller = wiring.cancellation_store(), wiring.seller_address()
    state = existing(store.state(company.account))
    raise_tier(company)

    with pytest.raises(ConcurrentChange):
        cancel_account(
            state,
            CancellationRequest(Reason.OTHER, "We close the shop.", date(2026, 10, 15)),
            retention_days=14,
            seller=seller,
            policy=None,
            context=replace(CONTEXT, time=LATE),
            store=store,
        )


EUROS = {"amount": 0, "currency": "EUR"}


@pytest.mark.parametrize(
    ("charges", "pointer"),
    [
        ({"invoices": -1, "total": EUROS}, "#/charges/invoices"),
        ({"invoices": "1", "total": EUROS}, "#/charges/invoices"),
        ({"invoices": 1}, "#/charges/total"),
        ({"invoices": 1, "total": {"amount": 1.5, "currency": "EUR"}}, "#/charges/total/amount"),
        ({"invoices": 1, "total": {"amount": 1, "currency": "euro"}}, "#/charges/total/currency"),
        ("none", "#/charges"),
    ],
)
def test_charges_that_are_none_are_invalid(charges: Any, pointer: str, company: Company) -> None:
    response = call_cancellation(company, "POST", {**WHY, "active_until": CONTRACT_ENDS, "charges": charges})

    assert (response.status, response.body["errors"][0]["pointer"]) == (422, pointer)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("reason", "because"),
        ("reason", ""),
        ("reason", None),
        ("text", ""),
        ("text", " " * 50),
        ("text", "too short"),
        ("text", "x" * 2001),
        ("text", "x" * 3000),
        ("text", "turned \u202e round and round"),
        ("text", "half a letter \ud800"),
        ("text", "bell \u0007 and whistle"),
        ("text", None),
        ("confirmed", False),
        ("confirmed", None),
        ("active_until", "soon"),
        ("active_until", None),
    ],
)
def test_bad_input_names_the_field_and_changes_nothing(place: str, value: Any, company: Company) -> None:
    before = stored_items()

    response = call_cancellation(company, "POST", {**WHY, "active_until": CONTRACT_ENDS, place: value})

    assert response.status == 422
    assert response.body["errors"][0]["pointer"] == f"#/{place}"
    assert stored_items() == before


def test_a_text_of_several_lines_keeps_its_lines(company: Company) -> None:
    text = "First line\r\n\tsecond line\n\nthe end"

    response = call_cancellation(company, "POST", {**WHY, "text": text, "active_until": CONTRACT_ENDS})

    assert response.body["text"] == "First line\n second line\n\nthe end"


STAFF_CREDENTIALS = [
    STAFF,
    person("staff-2", groups="staff"),
    person("staff-3", groups="[sales, staff]"),
    person("staff-4", groups="sales,staff"),
]


@pytest.mark.parametrize("method", ["GET", "POST", "DELETE"])
@pytest.mark.parametrize("claims", STAFF_CREDENTIALS)
def test_staff_can_never_cancel(method: str, claims: dict[str, str], company: Company) -> None:
    body = {**WHY, "active_until": CONTRACT_ENDS} if method == "POST" else None

    response = call_cancellation(company, method, body, claims=claims)

    assert response.status == 403
    assert "admins" not in response.body
    assert status(company) == "active"


def test_an_admin_in_the_staff_group_cannot_cancel(company: Company) -> None:
    assert cancel(company, claims={**company.admin, "cognito:groups": "[staff]"}).status == 403


def test_a_member_gets_the_names_of_the_admins(company: Company) -> None:
    response = cancel(company, claims=company.member)

    assert response.status == 403
    assert response.body["admins"] == [{"name": "Ada Holm", "email": "ada@nordlys.example", "status": "active"}]


# ---- Withdrawal --------------------------------------------------------------------------------------


def test_a_withdrawn_cancellation_has_no_effect(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    cancel(company)
    assert call_cancellation(company, "DELETE").status == 204
    assert call_cancellation(company, "DELETE").status == 204

    assert status(company) == "active"
    assert call_cancellation(company, "GET").body["receipt"] is None
    [event] = events_of("cancellation.withdrawn")
    assert (event.after or {})["renewal"]["on"] == "2026-07-15"
    fire(datetime(2026, 8, 1, tzinfo=UTC), work, monkeypatch)
    assert status(company) == "active"
    assert not [item for item in stored_items() if item["sk"] == "CANCELLATION"]
    # A later cancellation gets a new receipt.
    assert cancel(company, "2026-10-15", now=datetime(2026, 8, 1, tzinfo=UTC)).status == 201


# ---- Renewal notice ------------------------------------------------------------------------------------


def test_the_admins_get_one_notice_a_week_before_the_last_day(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for day in (6, 7, 7, 8, 20):
        fire(datetime(2026, 9, day, 12, tzinfo=UTC), work, monkeypatch, "ending")

    [event] = events_of("renewal.notice_deadline_near")
    assert event.time.day == 7
    facts = event.after or {}
    assert (facts["renewal"]["on"], facts["last_day"], facts["interval_months"]) == ("2026-10-15", "2026-09-14", 3)
    invoiced_elsewhere(company, month=9)
    # The last day is exact: a cancellation on it avoids the renewal, one a day later does not.
    last_day, day_after = (datetime(2026, 9, day, 12, tzinfo=UTC) for day in (14, 15))
    assert call_cancellation(company, "GET", now=last_day).body["preview"]["charges_still_due"] == []
    charged = call_cancellation(company, "GET", now=day_after).body["preview"]["charges_still_due"]
    assert [(each["on"], each["amount"]) for each in charged] == [("2026-10-15", facts["renewal"]["amount"])]
    fire(datetime(2026, 12, 7, 12, tzinfo=UTC), work, monkeypatch, "ending")
    assert [(each.after or {})["last_day"] for each in events_of("renewal.notice_deadline_near")] == [
        "2026-09-14",
        "2026-12-14",
    ]


def test_a_notice_after_the_last_day_is_not_sent(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    fire(datetime(2026, 9, 20, 12, tzinfo=UTC), work, monkeypatch, "ending")

    assert events_of("renewal.notice_deadline_near") == []


def test_a_cancelled_account_gets_no_notice_until_it_withdraws(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    requested_at = datetime(2026, 6, 15, 9, tzinfo=UTC)
    assert cancel(company, "2026-10-15", now=requested_at).status == 201
    fire(datetime(2026, 9, 7, 12, tzinfo=UTC), work, monkeypatch, "ending")
    assert events_of("renewal.notice_deadline_near") == []

    assert call_cancellation(company, "DELETE", now=datetime(2026, 9, 7, 13, tzinfo=UTC)).status == 204
    fire(datetime(2026, 9, 7, 14, tzinfo=UTC), work, monkeypatch, "ending")

    assert len(events_of("renewal.notice_deadline_near")) == 1


def test_a_monthly_contract_gets_no_notice(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monthly = with_value(with_value(ACCOUNT, 1, "contract", "interval_months"), "monthly-shop", "account")
    assert provisioned(monthly).status == 201

    for month in range(7, 10):
        fire(datetime(2026, month, 8, 12, tzinfo=UTC), work, monkeypatch, "ending")

    assert [each.account for each in events_of("renewal.notice_deadline_near")] == [company.account]


def without_notice(company: Company) -> None:
    """The account is as from before there were renewal notices: no stage of its end is due."""
    table = boto3.resource("dynamodb", region_name=REGION).Table(TABLE)
    table.delete_item(Key={"pk": f"ACCOUNT#{company.account}", "sk": "DUE#ending"})


@pytest.mark.parametrize("day", [1, 10, 14])
def test_an_account_from_before_notices_is_told_of_the_last_day(
    day: int, company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where less than a week is left until 14 September, the last day."""
    without_notice(company)
    now = datetime(2026, 9, day, 12, tzinfo=UTC)

    assert schedule_notices(wiring.cancellation_store(), now) == 1
    assert schedule_notices(wiring.cancellation_store(), now) == 0
    for later in (now, now + timedelta(hours=1), max(now, datetime(2026, 9, 7, 12, tzinfo=UTC))):
        fire(later, work, monkeypatch, "ending")

    [event] = events_of("renewal.notice_deadline_near")
    assert (event.after or {})["last_day"] == "2026-09-14"


def test_only_active_accounts_that_are_not_charged_monthly_get_a_first_notice(company: Company) -> None:
    monthly = with_value(with_value(ACCOUNT, 1, "contract", "interval_months"), "monthly-shop", "account")
    assert provisioned(monthly).status == 201
    assert cancel(company, "2026-10-15", now=datetime(2026, 6, 15, 9, tzinfo=UTC)).status == 201
    without_notice(company)

    assert schedule_notices(wiring.cancellation_store(), datetime(2026, 6, 16, tzinfo=UTC)) == 0


def test_an_account_that_is_provisioned_days_before_its_last_day_is_told(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    yearly = with_value(with_value(ACCOUNT, 12, "contract", "interval_months"), "yearly-shop", "account")
    started = with_value(with_value(yearly, "2025-07-15", "contract", "start"), "2026-07-15", "invoiced_until")
    assert provisioned(started, now=NOW).status == 201

    fire(NOW + timedelta(hours=1), work, monkeypatch, "ending")

    told = [each for each in events_of("renewal.notice_deadline_near") if each.account == "yearly-shop"]
    assert [(each.after or {})["last_day"] for each in told] == ["2026-06-14"]


# ---- Deactivation -------------------------------------------------------------------------------------------


def test_an_account_is_deactivated_as_its_day_begins(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    cancel(company)

    fire(datetime(2026, 7, 14, 21, 59, tzinfo=UTC), work, monkeypatch)
    assert status(company) == "cancelling"
    assert call_cancellation(company, "DELETE", now=datetime(2026, 7, 14, 22, 0, tzinfo=UTC)).status == 409
    for _ in range(2):
        fire(datetime(2026, 7, 14, 22, 1, tzinfo=UTC), work, monkeypatch)

    assert status(company) == "deactivated"
    [event] = events_of("account.deactivated")
    assert event.after == {
        "deactivated_on": "2026-07-15",
        "reactivate_until": "2026-07-28",
        "purge_on": "2026-07-29",
        "to_pay": None,
        "to_repay": None,
    }
    usage = cloud_event(time=datetime(2026, 7, 15, 8, tzinfo=UTC))
    response = answer(
        record_usage,
        request(
            "POST",
            "/usage",
            claims=MACHINE,
            body=usage,
            now=datetime(2026, 7, 15, 9, tzinfo=UTC),
            headers={"Content-Type": "application/cloudevents+json"},
        ),
    )
    assert response.status in {409, 422}
    assert cancel(company).status == 409
    assert call_cancellation(company, "DELETE").status == 409
    for day in (25, 26, 27, 28):
        fire(datetime(2026, 7, day, 3, tzinfo=UTC), work, monkeypatch)
    [reminder] = events_of("account.deletion_near")
    assert reminder.time.day == 26


def test_renewals_within_the_notice_are_invoiced_and_none_after(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    invoiced_elsewhere(company, month=0)
    requested_at = datetime(2026, 6, 15, 9, tzinfo=UTC)
    assert cancel(company, "2026-10-15", now=requested_at).status == 201

    for month in range(6, 11):
        for day in (14, 15, 16):
            fire(datetime(2026, month, day, 12, tzinfo=UTC), work, monkeypatch)

    listed = answer(
        get_invoices, request("GET", "/accounts/{account}/invoices", claims=company.member, path=company.path)
    ).body["items"]
    assert [each["produced_on"] for each in listed] == ["2026-07-15", "2026-06-14", "2026-06-14"]
    assert status(company) == "deactivated"


@pytest.mark.parametrize(
    ("interval", "invoiced_until", "until", "charged"),
    [
        (1, "2026-06-15", "2026-07-15", ["2026-06-15"]),
        (6, "2026-07-15", "2026-07-15", []),
        (12, "2027-01-15", "2027-01-15", []),
    ],
)
def test_each_interval_ends_with_its_paid_period(
    interval: int, invoiced_until: str, until: str, charged: list[str], company: Company
) -> None:
    name = f"shop-{interval}"
    shop = with_value(with_value(ACCOUNT, interval, "contract", "interval_months"), name, "account")
    assert provisioned({**shop, "invoiced_until": invoiced_until}).status == 201
    admin = company.admin  # the same person is the first admin of both accounts

    response = answer(cancellation, request("GET", CANCELLATION, claims=admin, path={"account": name}))

    assert response.body["preview"]["active_until"] == until
    assert [each["on"] for each in response.body["preview"]["charges_still_due"]] == charged


def test_a_contract_that_is_cancelled_in_time_before_it_starts_is_never_charged(company: Company) -> None:
    shop = with_value(with_value(ACCOUNT, "2026-09-01", "contract", "start"), "future-shop", "account")
    assert provisioned({**shop, "discounts": [], "invoiced_until": None}).status == 201

    response = answer(cancellation, request("GET", CANCELLATION, claims=company.admin, path={"account": "future-shop"}))

    preview = response.body["preview"]
    assert (preview["notice_ends"], preview["active_until"]) == ("2026-08-01", "2026-09-01")
    assert preview["charges_still_due"] == []


# ---- One answer to what comes next (decision 0021) ----


def page_of(company: Company, claims: Any, now: datetime = NOW) -> Any:
    return answer(get_billing, request("GET", "/accounts/{account}/billing", claims=claims, path=company.path, now=now))


def upcoming(company: Company, now: datetime = NOW) -> Any:
    route = "/accounts/{account}/invoices/upcoming"
    return answer(get_invoices, request("GET", route, claims=company.admin, path=company.path, now=now))


def test_a_cancelled_account_is_charged_nothing_more_and_everybody_sees_when_it_ends(company: Company) -> None:
    assert cancel(company).status == 201

    for claims in (company.admin, company.member, STAFF):
        page = page_of(company, claims).body
        assert page["ends"] == {"active_until": CONTRACT_ENDS, "purge_on": "2026-07-29"}
        payment = page["payment_details"]
        assert (payment["next_charge"], payment["next_charge_on"], payment["amount_per_charge"]) == (None, None, None)
    assert upcoming(company).status == 404


def test_a_charge_within_the_notice_is_the_same_everywhere(company: Company) -> None:
    """Cancelled one day too late to avoid the renewal of 15 July."""
    late = datetime(2026, 6, 15, 20, tzinfo=UTC)
    receipt = cancel(company, "2026-10-15", now=late).body

    [charge] = receipt["charges_still_due"]
    shown = page_of(company, company.member, late).body["payment_details"]["next_charge"]
    invoice = upcoming(company, late).body

    assert shown == {**{name: charge[name] for name in ("on", "net", "tax", "total")}, "tax_rule": "domestic"}
    assert shown["total"]["amount"] == 36_328
    assert (invoice["on"], invoice["net"], invoice["total"]) == (shown["on"], shown["net"], shown["total"])
    assert invoice["tax"]["amount"] == shown["tax"]
    [event] = events_of("cancellation.requested")
    assert (event.after or {})["charges_still_due"][0]["total"] == charge["total"]


def test_a_deactivated_account_has_no_next_charge(company: Company) -> None:
    deactivate(company)

    page = page_of(company, company.admin, ENDED).body

    assert (page["status"], page["payment_details"]["next_charge"]) == ("deactivated", None)
    assert page["ends"]["purge_on"] == "2026-07-29"


def test_a_receipt_of_an_earlier_release_is_shown_without_tax(company: Company) -> None:
    late = datetime(2026, 6, 15, 20, tzinfo=UTC)
    cancel(company, "2026-10-15", now=late)
    [stored] = [item for item in stored_items() if item["sk"] == "CANCELLATION"]
    body = json.loads(stored["body"])
    body["charges_still_due"] = [{name: each[name] for name in ("on", "amount")} for each in body["charges_still_due"]]
    put_item(stored["pk"], "CANCELLATION", json.dumps(body))

    [charge] = call_cancellation(company, "GET", now=late).body["receipt"]["charges_still_due"]

    assert (charge["net"]["amount"], charge["tax"], charge["total"]) == (29_062, None, None)
