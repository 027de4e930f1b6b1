"""What is open when an account ends: it is told before, kept as claims, and settled (DESIGN 3.7.4 to 3.7.6)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from billing import wiring

from functions.administer_claims.app import handler as administer_claims
from functions.administer_exchange_rates.app import handler as exchange_rates
from functions.administer_users.app import handler as administer_users
from functions.get_billing.app import handler as get_billing
from functions.get_deletions.app import handler as get_deletions
from functions.get_invoices.app import handler as get_invoices
from functions.issue_credit_note.app import handler as credit
from functions.update_payment_method.app import handler as update
from local.stripe.api import Stripe
from tests.api_gateway import STAFF, Answer, answer, person, request
from tests.aws import restore_items, stored_items
from tests.cards import DECLINED_WHEN_CHARGED, card
from tests.company import Company, provisioned
from tests.functions.ending import ENDED, PURGED, Context, call_cancellation, cancel, events_of, fire
from tests.functions.ending import record as queued
from tests.functions.test_money import ALL, FIRST, ISSUED, SECOND, post, tell, transferred, transfers
from tests.samples import ACCOUNT
from tests.stripe import ask, later

CLAIMS = "/open-claims"
TOTAL = 36_328
NEAR = PURGED - timedelta(days=3)
EUR = "EUR"
JOBS = ("renewal", "collection", "ending")

pytestmark = pytest.mark.usefixtures("work")


@pytest.fixture(autouse=True)
def log_ins(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps the sample company's log-ins, which other tests use."""
    monkeypatch.setattr("billing.accounts.cognito_directory.CognitoDirectory.remove", lambda *_: None)


def claims() -> list[Any]:
    items: list[Any] = answer(administer_claims, request("GET", CLAIMS, claims=STAFF)).body["items"]
    return items


def claim(number: str) -> Answer:
    return answer(administer_claims, request("GET", CLAIMS + "/{claim}", claims=STAFF, path={"claim": number}))


def settle(number: str, what: str, body: Any, *, claims: Any = STAFF) -> Answer:
    event = request("POST", f"{CLAIMS}/{{claim}}/{what}", claims=claims, path={"claim": number}, body=body, now=PURGED)
    return answer(administer_claims, event)


def owed(number: str) -> tuple[str, int, int]:
    body = claim(number).body
    return body["state"], body["to_pay"]["amount"], body["to_repay"]["amount"]


def changes() -> list[tuple[str, str]]:
    """What staff were told about claims: the claim and the change."""
    told = [event.after or {} for event in sorted(events_of("open_claim.changed"), key=lambda event: event.id)]
    return [(each["claim"], each["change"]) for each in told]


def end(work: Any, monkeypatch: pytest.MonkeyPatch, *, at: datetime = PURGED) -> None:
    """The account is deactivated, reminded and, on its day, deleted."""
    for day in (ENDED, NEAR, at):
        fire(day, work, monkeypatch, *JOBS)


def intents(stripe: Stripe) -> list[Any]:
    return [*stripe.objects["payment_intent"].values()]


def left_of(account: str) -> set[str]:
    """The partitions of all items that contain the account's id, without the ends of their keys."""
    return {item["pk"].partition("#")[0] for item in stored_items() if account in json.dumps(item, default=str)}


def receipt() -> Any:
    [only] = answer(get_deletions, request("GET", "/deletions", claims=STAFF)).body["items"]
    return only


@pytest.fixture
def unpaid(company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A cancelled company whose card is declined for both of its invoices."""
    card(company, stripe_account, DECLINED_WHEN_CHARGED)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    assert cancel(company).status == 201
    return company


@pytest.fixture
def paid(company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch) -> Company:
    """A cancelled company that has paid all of its invoices by card."""
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    assert cancel(company).status == 201
    return company


def debit(company: Company, stripe: Stripe) -> None:
    """An admin sets up a SEPA debit."""
    path, body = "/accounts/{account}/payment-method", {"method": "sepa_debit"}
    setup = answer(update, request("POST", path + "/setup", claims=company.admin, path=company.path, body=body)).body
    iban = "payment_method_data[type]=sepa_debit&payment_method_data[sepa_debit][iban]=DE89370400440532013000"
    ask(stripe, "POST", f"/v1/setup_intents/{setup['setup_intent']}/confirm", iban)
    body = {"setup_intent": setup["setup_intent"]}
    assert answer(update, request("PUT", path, claims=company.admin, path=company.path, body=body)).status == 200


def pay_again(company: Company, stripe: Stripe, number: str = FIRST) -> str:
    """A payment for an invoice that is settled already, such as from a second tab. Returns the PaymentIntent."""
    first = intents(stripe)[0]
    created = (
        f"amount={first['amount']}&currency=eur&customer={first['customer']}"
        f"&metadata[account]={company.account}&metadata[invoice]={number}"
    )
    twin = ask(stripe, "POST", "/v1/payment_intents", created)
    method = next(iter(stripe.numbers))
    ask(stripe, "POST", f"/v1/payment_intents/{twin['id']}/confirm", f"payment_method={method}")
    return str(twin["id"])


# ---- What the customer owes --------------------------------------------------------------------------


def test_unpaid_invoices_are_told_before_and_kept_until_they_are_settled(
    unpaid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """M13."""
    fire(ENDED, work, monkeypatch, *JOBS)
    [deactivated], [told] = events_of("account.deactivated"), events_of("account.money_open")
    open_now = told.after or {}
    assert (deactivated.after or {})["to_pay"] == {"amount": 2 * TOTAL, "currency": EUR}
    assert (deactivated.after or {})["to_repay"] is None
    assert open_now["stage"] == "deactivated"
    assert [(each["number"], each["to_pay"]["amount"]) for each in open_now["documents"]] == [
        (FIRST, TOTAL),
        (SECOND, TOTAL),
    ]
    fire(NEAR, work, monkeypatch, *JOBS)
    assert [(event.after or {})["stage"] for event in events_of("account.money_open")] == [
        "deactivated",
        "deletion_near",
    ]
    fire(PURGED, work, monkeypatch, *JOBS)

    assert left_of(unpaid.account) == {"DELETED", "RESIDUE"}
    path = unpaid.path
    page = request("GET", "/accounts/{account}/billing", claims=unpaid.admin, path=path)
    assert answer(get_billing, page).status == 404
    [kept_event] = events_of("account.money_open")
    assert (kept_event.after or {})["stage"] == "deleted"
    kept = receipt()
    assert kept["kept"] == {"claims": 2, "repayments": 0}
    assert kept["kept_until"] == "2029-12-31"
    assert "17(3)" in kept["kept_because"]
    [deleted] = events_of("account.deleted")
    assert (deleted.after or {})["kept"] == {"claims": 2, "repayments": 0, "until": "2029-12-31"}
    assert [(each["claim"], each["to_pay"]["amount"], each["state"]) for each in claims()] == [
        (FIRST, TOTAL, "open"),
        (SECOND, TOTAL, "open"),
    ]
    details = claim(FIRST).body
    assert details["document"]["company"]["name"] == ACCOUNT["company"]["name"]
    assert details["document"]["total"]["amount"] == TOTAL
    assert "@" not in json.dumps(details)

    transfer = {"paid_on": str(PURGED.date()), "reference": "4711"}
    assert settle(FIRST, "payments", transfer).body["to_pay"]["amount"] == 0
    assert settle(SECOND, "write-off", {"reason": "Insolvent"}).status == 200
    assert claims() == []
    assert settle(FIRST, "payments", transfer).status == 404
    assert left_of(unpaid.account) == {"DELETED"}
    done = [event.after or {} for event in events_of("open_claim.settled")]
    assert {(each["claim"], each["change"], each["settled"]) for each in done} == {
        (FIRST, "paid", True),
        (SECOND, "written_off", True),
    }
    assert "nordlys" not in json.dumps(receipt()).lower()


def test_a_claim_is_paid_in_part_and_what_is_over_is_to_be_repaid(
    unpaid: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(work, monkeypatch)
    part = {"paid_on": str(PURGED.date()), "reference": "1", "amount": {"amount": TOTAL - 1_200, "currency": EUR}}

    for _ in range(2):
        assert settle(FIRST, "payments", part).body["to_pay"]["amount"] == 1_200
    other = settle(FIRST, "payments", {**part, "amount": {"amount": 1, "currency": "USD"}})
    assert (other.status, other.body["errors"][0]["pointer"]) == (422, "#/amount/currency")
    over = settle(FIRST, "payments", {**part, "reference": "2"}).body
    assert (over["to_pay"]["amount"], over["to_repay"]["amount"]) == (0, TOTAL - 2_400)


def test_a_charge_that_was_begun_cannot_pay_a_claim_that_is_paid_by_transfer(
    unpaid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(work, monkeypatch)
    assert {each["status"] for each in intents(stripe_account)} == {"requires_payment_method"}

    fire(PURGED + timedelta(days=1), work, monkeypatch, "ending")

    assert {each["status"] for each in intents(stripe_account)} == {"canceled"}
    assert [owed(each) for each in (FIRST, SECOND)] == [("open", TOTAL, 0)] * 2


def test_a_claim_is_deleted_after_the_years_of_the_deployment(
    unpaid: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(work, monkeypatch)
    last = datetime.fromisoformat("2029-12-31T12:00:00+00:00")
    fire(last, work, monkeypatch, "ending")
    assert len(claims()) == 2

    fire(last + timedelta(days=1), work, monkeypatch, "ending")

    assert claims() == []
    assert sorted(changes()) == [(FIRST, "expired"), (SECOND, "expired")]


def test_only_staff_settle_claims_and_no_more_than_is_owed(
    unpaid: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(work, monkeypatch)
    transfer = {"paid_on": str(PURGED.date()), "reference": "4711"}
    repaid = {"amount": {"amount": 1, "currency": EUR}, "repaid_on": str(PURGED.date()), "reference": "1"}

    assert settle(FIRST, "payments", transfer, claims=unpaid.admin).status == 403
    late = settle(FIRST, "payments", {**transfer, "paid_on": str((PURGED + timedelta(days=3)).date())})
    assert (late.status, late.body["errors"][0]["pointer"]) == (422, "#/paid_on")
    nothing = settle(FIRST, "repayments", repaid)
    assert (nothing.status, nothing.body["type"]) == (409, "urn:livello:problem:not-owed")
    assert claim("LV-2026-999999").status == 404
    assert len(claims()) == 2


@pytest.mark.parametrize("succeeds", [True, False])
def test_a_debit_in_transit_is_followed_after_the_deletion(
    succeeds: bool, company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The customer is deleted at Stripe, and the payment goes on."""
    debit(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    assert cancel(company).status == 201
    end(work, monkeypatch)
    assert all(each.get("deleted") for each in stripe_account.objects["customer"].values())
    assert [owed(each) for each in (FIRST, SECOND)] == [("in_transit", TOTAL, 0)] * 2
    refused = settle(FIRST, "payments", {"paid_on": str(PURGED.date()), "reference": "1"})
    assert (refused.status, refused.body["type"]) == (409, "urn:livello:problem:not-owed")

    first, second = intents(stripe_account)
    for each in (first, second):
        stripe_account.settle(each["id"], succeed=succeeds)
    for _ in range(2):  # the notice of the second one is lost
        about = {"notice": "evt_1", "type": "payment_intent.succeeded", "object": first["id"], "customer": None}
        note(about)
    fire(PURGED + timedelta(days=1), work, monkeypatch, "ending")

    if succeeds:
        assert claims() == []
        assert sorted(changes()) == [(FIRST, "paid"), (SECOND, "paid")]
    else:
        assert [owed(each) for each in (FIRST, SECOND)] == [("open", TOTAL, 0)] * 2
        assert sorted(changes()) == [(FIRST, "payment_failed"), (SECOND, "payment_failed")]


def note(notice: dict[str, Any]) -> None:
    from functions.note_payment_notice.app import handler

    assert handler({"Records": [queued(json.dumps(notice))]}, Context()) == {"batchItemFailures": []}


def test_what_waits_for_staff_is_kept_as_a_claim(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Invoicing that is held is told before the deletion, and is not lost by it."""
    assert cancel(company).status == 201
    monkeypatch.setattr("billing.invoicing.issue_invoices.INVOICES_AT_ONCE_MAX", 0)
    monkeypatch.setattr("billing.invoicing.issue_invoices.must_stop", lambda *_: True)
    fire(ENDED, work, monkeypatch, "ending")
    told = events_of("account.money_open")[0].after or {}
    assert told["not_invoiced"] == {"invoices": 2, "total": {"amount": 2 * TOTAL, "currency": EUR}}
    fire(NEAR, work, monkeypatch, "ending")
    fire(PURGED, work, monkeypatch, "ending")

    [kept] = claims()
    assert kept["claim"] == receipt()["receipt"]
    assert kept["to_pay"]["amount"] == 2 * TOTAL
    details = claim(kept["claim"]).body
    assert (details["document"], len(details["not_invoiced"])) == (None, 2)
    assert receipt()["kept"] == {"claims": 1, "repayments": 0}
    assert settle(kept["claim"], "write-off", {"reason": "A wrong start"}).status == 200
    assert claims() == []


@pytest.fixture
def tax_in_kroner(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A deployment whose seller has kroner, and no exchange rates."""
    monkeypatch.setenv("SELLER_CURRENCY", "DKK")
    wiring.forget()
    yield
    wiring.forget()


@pytest.mark.usefixtures("tax_in_kroner")
def test_what_waits_for_an_exchange_rate_is_kept_as_a_claim(
    company: Company, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def waiting() -> list[Any]:
        listed = answer(exchange_rates, request("GET", "/invoicing/awaiting-rates", claims=STAFF))
        items: list[Any] = listed.body["items"]
        return items

    assert cancel(company).status == 201
    fire(ENDED, work, monkeypatch, "ending")
    assert [each["account"] for each in waiting()] == [company.account]
    told = events_of("account.money_open")[0].after or {}
    assert told["not_invoiced"]["invoices"] == 2
    fire(NEAR, work, monkeypatch, "ending")
    fire(PURGED, work, monkeypatch, "ending")

    assert waiting() == [], "the list of staff names an account that is gone"
    [kept] = claims()
    assert kept["to_pay"]["amount"] == 2 * TOTAL
    assert len(claim(kept["claim"]).body["not_invoiced"]) == 2


def test_the_end_issues_what_is_owed(company: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The hourly run of invoices is off."""
    assert cancel(company).status == 201

    fire(ENDED, work, monkeypatch, "ending")

    route = "/accounts/{account}/invoices"
    issued = answer(get_invoices, request("GET", route, claims=company.member, path=company.path)).body["items"]
    assert [each["total"]["amount"] for each in issued] == [TOTAL] * 2


def test_the_preview_of_a_cancellation_says_what_is_open(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    card(company, stripe_account)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    pay_again(company, stripe_account)
    tell(stripe_account, "payment_intent.succeeded")
    paid_now = call_cancellation(company, "GET", now=ISSUED).body
    assert (paid_now["to_pay"]["amount"], paid_now["to_repay"]["amount"]) == (0, TOTAL)


# ---- What the vendor owes ----------------------------------------------------------------------------


def test_credit_goes_back_to_the_charge_that_it_came_from(
    paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = pay_again(paid, stripe_account)
    tell(stripe_account, "payment_intent.succeeded")

    fire(ENDED, work, monkeypatch, *JOBS)

    [refund] = stripe_account.objects["refund"].values()
    assert (refund["payment_intent"], refund["amount"]) == (twice, TOTAL)
    [event] = events_of("credit.refunded")
    assert event.after == {"number": FIRST, "refunded": {"amount": TOTAL, "currency": EUR}}
    assert events_of("account.money_open") == []
    fire(NEAR, work, monkeypatch, *JOBS)
    fire(PURGED, work, monkeypatch, *JOBS)
    assert len(stripe_account.objects["refund"]) == 1
    assert claims() == []
    assert receipt()["kept"] == {}


def test_credit_of_a_transfer_is_repaid_by_hand(
    company: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    transfers(company)
    fire(ISSUED, work, monkeypatch, "renewal", "collection")
    for number in (FIRST, SECOND):
        transferred(company, number)
    assert post(credit, company, FIRST, "credit-notes", ALL).status == 201
    assert cancel(company).status == 201
    end(work, monkeypatch)

    assert stripe_account.objects["refund"] == {}
    [deleted] = events_of("account.deleted")
    assert (deleted.after or {})["kept"] == {"claims": 0, "repayments": 1, "until": "2029-12-31"}
    assert owed(FIRST) == ("open", 0, TOTAL)
    part = {"amount": {"amount": 328, "currency": EUR}, "repaid_on": str(PURGED.date()), "reference": "E2E-1"}
    assert settle(FIRST, "repayments", part).body["to_repay"]["amount"] == TOTAL - 328
    too_much = settle(FIRST, "repayments", {**part, "amount": {"amount": TOTAL, "currency": EUR}})
    assert (too_much.status, too_much.body["errors"][0]["pointer"]) == (422, "#/amount/amount")
    rest = {**part, "amount": {"amount": TOTAL - 328, "currency": EUR}, "reference": "E2E-2"}
    assert settle(FIRST, "repayments", rest).status == 200
    assert claims() == []


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_refund_of_credit_that_fails_is_owed_again(
    when: str, paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_again(paid, stripe_account)
    tell(stripe_account, "payment_intent.succeeded")
    fire(ENDED, work, monkeypatch, *JOBS)
    [refund] = stripe_account.objects["refund"]
    if when == "after":
        fire(NEAR, work, monkeypatch, *JOBS)
        fire(PURGED, work, monkeypatch, *JOBS)
    stripe_account.settle_refund(refund, succeed=False)
    for _ in range(2):
        tell(stripe_account, "refund.failed")

    if when == "before":
        assert len(events_of("credit.refund_failed")) == 1
        fire(NEAR, work, monkeypatch, *JOBS)
        assert (events_of("account.deletion_near")[0].after or {})["to_repay"] == {"amount": TOTAL, "currency": EUR}
        fire(PURGED, work, monkeypatch, *JOBS)
    else:
        assert changes() == [(FIRST, "refund_failed")]
    assert len(stripe_account.objects["refund"]) == 1
    assert owed(FIRST) == ("open", 0, TOTAL)
    repaid = {"amount": {"amount": TOTAL, "currency": EUR}, "repaid_on": str(PURGED.date()), "reference": "E2E-1"}
    assert settle(FIRST, "repayments", repaid).status == 200
    tell(stripe_account, "refund.failed")
    assert claims() == []


def test_a_refund_of_credit_in_the_dashboard_is_counted_once_and_owed_again_if_it_fails(
    paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    twice = pay_again(paid, stripe_account)
    tell(stripe_account, "payment_intent.succeeded")
    refund = ask(stripe_account, "POST", "/v1/refunds", f"payment_intent={twice}")
    tell(stripe_account, "refund.created")
    end(work, monkeypatch)
    assert claims() == []
    tell(stripe_account, "refund.created")
    assert claims() == []

    stripe_account.settle_refund(refund["id"], succeed=False)
    for _ in range(2):
        tell(stripe_account, "refund.failed")

    assert changes() == [(FIRST, "refund_failed")]
    assert owed(FIRST) == ("open", 0, TOTAL)
    tell(stripe_account, "refund.created")
    assert owed(FIRST) == ("open", 0, TOTAL)
    repaid = {"amount": {"amount": TOTAL, "currency": EUR}, "repaid_on": str(PURGED.date()), "reference": "E2E-1"}
    assert settle(FIRST, "repayments", repaid).status == 200
    tell(stripe_account, "refund.failed")
    assert claims() == []


def test_stripe_being_down_holds_up_no_stage_and_the_refund_is_repeated(
    paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from billing.kernel.errors import UpstreamFailed

    from functions.end_account.app import handler as worker

    pay_again(paid, stripe_account)
    tell(stripe_account, "payment_intent.succeeded")

    def down(*_: Any) -> Any:
        raise UpstreamFailed("It does not answer.")

    def failing(event: Any, context: Any) -> Any:
        assert worker(event, context)["batchItemFailures"]
        return {"batchItemFailures": []}

    with monkeypatch.context() as patch:
        patch.setattr(type(wiring.payments()), "refund", down)
        patch.setattr("tests.functions.ending.WORKERS", {"ending": failing})
        fire(ENDED, work, patch, "ending")
    assert len(events_of("account.deactivated")) == 1
    assert (events_of("account.money_open")[0].after or {})["documents"][0]["state"] == "in_transit"

    fire(NEAR, work, monkeypatch, "ending")

    assert [each["amount"] for each in stripe_account.objects["refund"].values()] == [TOTAL]
    assert len(events_of("credit.refunded")) == 1


# ---- After the deletion ------------------------------------------------------------------------------


@pytest.mark.parametrize("reprovisioned", [False, True])
def test_a_charge_back_of_a_deleted_account_is_a_claim_by_invoice_number(
    reprovisioned: bool, paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirteen months after a debit, also where another account has the same id by then."""
    end(work, monkeypatch)
    assert claims() == []
    if reprovisioned:
        assert provisioned(ACCOUNT).status == 201
    before = [item for item in stored_items() if item["pk"] == f"ACCOUNT#{paid.account}"]
    second = intents(stripe_account)[1]["id"]
    dispute = stripe_account.dispute(second)["id"]
    for _ in range(2):
        tell(stripe_account, "charge.dispute.created")
    assert owed(SECOND) == ("disputed", 0, 0)
    stripe_account.close_dispute(dispute, won=False)
    for _ in range(2):
        tell(stripe_account, "charge.dispute.closed")

    assert owed(SECOND) == ("open", TOTAL, 0)
    assert changes() == [(SECOND, "disputed"), (SECOND, "charged_back")]
    assert settle(SECOND, "write-off", {"reason": "Not worth it"}).status == 200
    tell(stripe_account, "charge.dispute.closed")
    tell(stripe_account, "payment_intent.succeeded")
    assert claims() == []
    assert [item for item in stored_items() if item["pk"] == f"ACCOUNT#{paid.account}"] == before


def test_a_dispute_that_is_won_leaves_nothing(
    paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispute = stripe_account.dispute(intents(stripe_account)[0]["id"])["id"]
    tell(stripe_account, "charge.dispute.created")
    end(work, monkeypatch)
    assert owed(FIRST) == ("disputed", 0, 0)

    stripe_account.close_dispute(dispute, won=True)
    tell(stripe_account, "charge.dispute.closed")

    assert claims() == []
    assert changes() == [(FIRST, "dispute_closed")]


def test_money_that_arrives_after_the_deletion_is_to_be_repaid(
    paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay_again(paid, stripe_account)
    happened = [*stripe_account.objects["event"].values()]
    end(work, monkeypatch)
    [late] = [each for each in happened if each["type"] == "payment_intent.succeeded"][-1:]
    about = {
        "notice": late["id"],
        "type": late["type"],
        "object": late["data"]["object"]["id"],
        "customer": None,
    }
    for _ in range(2):
        note(about)

    assert owed(FIRST) == ("open", 0, TOTAL)
    assert changes() == [(FIRST, "overpaid")]


def test_a_notice_that_comes_again_after_the_deletion_changes_nothing(
    paid: Company, stripe_account: Stripe, work: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    end(work, monkeypatch)
    before = stored_items()
    later(stripe_account, timedelta(days=3).total_seconds())
    for each in intents(stripe_account):
        note({"notice": "evt_1", "type": "payment_intent.succeeded", "object": each["id"], "customer": None})

    assert stored_items() == before
    assert claims() == []


def test_a_payment_of_another_deployment_is_none_of_ours(company: Company, stripe_account: Stripe) -> None:
    created = "amount=100&currency=eur&metadata[account]=elsewhere&metadata[invoice]=XX-2026-000001"
    intent = ask(stripe_account, "POST", "/v1/payment_intents", created)
    note({"notice": "evt_1", "type": "payment_intent.succeeded", "object": intent["id"], "customer": None})

    assert claims() == []


def test_an_invoice_that_a_list_lacks_for_a_moment_is_not_one_of_a_deleted_account(
    paid: Company, stripe_account: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lists are eventually consistent."""
    monkeypatch.setattr("billing.invoicing.records.InvoiceStore.of_payment", lambda *_: ())
    for each in intents(stripe_account):
        note({"notice": "evt_1", "type": "payment_intent.succeeded", "object": each["id"], "customer": None})

    assert claims() == []


def test_two_deletions_of_the_same_id_do_not_mix(unpaid: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    end(work, monkeypatch)
    assert provisioned(ACCOUNT).status == 201
    listed = answer(administer_users, request("GET", "/accounts/{account}/users", claims=STAFF, path=unpaid.path))
    again = Company(unpaid.account, person(listed.body["items"][0]["user"]), unpaid.member)
    fire(ISSUED, work, monkeypatch, "renewal")
    assert cancel(again).status == 201
    end(work, monkeypatch)

    third, fourth = "LV-2026-000003", "LV-2026-000004"
    kept = {each["claim"]: each["receipt"] for each in claims()}
    assert set(kept) == {FIRST, SECOND, third, fourth}
    assert kept[FIRST] == kept[SECOND] != kept[third] == kept[fourth]


def test_staff_get_a_mail_about_a_deleted_account(unpaid: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    end(work, monkeypatch)
    [event] = events_of("account.money_open")
    text = json.dumps(event.after)
    assert not [word for word in ("Nordlys", "ada@", "Ada Holm") if word in text]


def test_a_restored_account_keeps_its_claims_again(unpaid: Company, work: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    before = stored_items()
    end(work, monkeypatch)
    kept = claims()
    restore_items(before)
    fire(ENDED, work, monkeypatch, *JOBS)
    fire(NEAR, work, monkeypatch, *JOBS)
    fire(PURGED, work, monkeypatch, *JOBS)

    assert [each["claim"] for each in claims()] == [each["claim"] for each in kept]
