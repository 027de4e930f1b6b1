"""The permission table of DESIGN 3.4, cell by cell, at every route; and callers without a valid token."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest
from billing import wiring
from billing.accounts.rules import existing
from billing.ending.deletion.claims import OpenClaim
from billing.ending.deletion.records import receipt_body
from billing.ending.deletion.rules import Receipt
from billing.invoicing.dunning import InvoicePayment
from billing.invoicing.exchange_rates.mapping import rates_body
from billing.invoicing.exchange_rates.views import DailyRatesBody
from billing.invoicing.holds import InvoicingHold
from billing.invoicing.issue_invoices import issue_invoices
from billing.invoicing.vat_numbers.mapping import check_body
from billing.invoicing.vat_numbers.rules import VatNumberCheck, VatResult
from billing.kernel.events import Actor, ActorKind, EventType, RequestContext
from billing.kernel.money import Money
from billing.kernel.test_clocks import new_clock
from billing.platform.events.new_event import new_event
from billing.platform.test_clocks.mapping import clock_body

from functions.administer_autoscaling.app import handler as administer_autoscaling
from functions.administer_cancellation.app import handler as administer_cancellation
from functions.administer_catalogue.app import handler as administer_catalogue
from functions.administer_claims.app import handler as administer_claims
from functions.administer_downloads.app import handler as administer_downloads
from functions.administer_exchange_rates.app import handler as administer_exchange_rates
from functions.administer_reactivation.app import handler as administer_reactivation
from functions.administer_reviews.app import handler as administer_reviews
from functions.administer_subscriptions.app import handler as administer_subscriptions
from functions.administer_success_managers.app import handler as administer_success_managers
from functions.administer_test_clocks.app import handler as administer_test_clocks
from functions.administer_users.app import handler as administer_users
from functions.administer_vat_numbers.app import handler as administer_vat_numbers
from functions.correct_usage.app import handler as correct_usage
from functions.get_billing.app import handler as get_billing
from functions.get_deletions.app import handler as get_deletions
from functions.get_events.app import handler as get_events
from functions.get_invoice_document.app import handler as get_invoice_document
from functions.get_invoices.app import handler as get_invoices
from functions.get_reconciliation.app import handler as get_reconciliation
from functions.get_usage.app import handler as get_usage
from functions.import_bank_statements.app import handler as import_bank_statements
from functions.issue_credit_note.app import handler as issue_credit_note
from functions.list_accounts.app import handler as list_accounts
from functions.provision_account.app import handler as provision_account
from functions.record_payment.app import handler as record_payment
from functions.record_usage.app import handler as record_usage
from functions.release_invoicing.app import handler as release_invoicing
from functions.update_billing_information.app import handler as update_billing_information
from functions.update_payment_method.app import handler as update_payment_method
from local.stripe.api import Stripe
from scripts.openapi import document
from tests.api_gateway import MACHINE, NOW, STAFF, Handler, answer, person, request
from tests.aws import DOCUMENTS, REGION, restore_items, stored_items
from tests.bank_statements import Paid, camt053
from tests.cards import card
from tests.company import Company
from tests.functions.ending import deactivate
from tests.functions.reviews import BEGINS, DECLINED, MANAGER, REVIEWS, SOFIE, make_reviewable
from tests.samples import ACCOUNT, CATALOGUE, with_value
from tests.stripe import confirm
from tests.usage import cloud_event, correction

STRANGER = person("stranger-1")
INFORMATION = "/accounts/{account}/billing-information/"
BANK_ENTRY = "/bank-entries/{entry}"
CLAIM = "/open-claims/{claim}"
IGNORED = {"ignore": {"reason": "interest"}}
STATEMENT = b64encode(camt053(Paid(500, "coffee"))).decode()
APPOINTMENT = "/accounts/{account}/appointment"
APPOINTED = {"email": "dina@nordlys.example", "name": "Dina Lund", "reason": "The only admin has left."}
CANCELLATION = "/accounts/{account}/cancellation"
WRONG = {"lines": None, "reason": "Invoiced by mistake"}
CORRECTED = {"reason": "The address was wrong"}
REACTIVATION = "/accounts/{account}/reactivation"
RELEASE = "/accounts/{account}/invoicing/release"
ONE_OFF = "/accounts/{account}/one-offs/{one_off}"
TRAINING = {"description": "Training", "amount": 40_000, "currency": "EUR", "reason": "Agreed on the phone"}
ARCHIVE = "/accounts/{account}/invoices/archive"
RATES = {"base": "EUR", "rates": {"DKK": "7.4604"}, "source": "ECB"}
EXEMPT = {
    "code": "VATEX-EU-151-1A",
    "words": {"en": "Exempt: diplomatic mission"},
    "certificate": {"reference": "DK-2026-0417", "authority": "Udenrigsministeriet", "issued_on": "2026-06-01"},
    "valid_from": "2027-01-15",
}
CANCELLED = {
    "reason": "too_expensive",
    "text": "We close two of our shops.",
    "confirmed": True,
    "active_until": "2026-07-15",
}
INVOICE = "/accounts/{account}/invoices/{number}"
VAT_NUMBER = "/accounts/{account}/vat-number-check"
CLOCK = "/test-clocks/{clock}"
CLOCK_BEGINS = "2026-06-10T12:00:00Z"
TRANSFERRED = {"paid_on": "2026-06-10", "reference": "4711"}
TRANSFERS = "/accounts/{account}/transfers"
ARRIVED = {"amount": {"amount": 1, "currency": "EUR"}, "booked_on": "2026-06-10", "reference": "4711"}
REPAID = {"amount": {"amount": 1, "currency": "EUR"}, "repaid_on": "2026-06-10", "reference": "4712"}
METHOD = "/accounts/{account}/payment-method"
PRODUCT = "/accounts/{account}/subscription/lines/{product}"
VERSION = "/accounts/{account}/catalogue-version"
TERM = "/accounts/{account}/contract/term"
LONGER = {"interval_months": 12, "reason": "They asked for it"}
AUTOSCALING = "/accounts/{account}/autoscaling"
CONTACT = "/accounts/{account}/success-manager"
OTHER_COMPANY = {**ACCOUNT["company"], "name": "Nordlys Kaffe A/S"}
NEWCOMER = {"email": "cy@nordlys.example", "name": "Cy", "role": "member"}


@dataclass(frozen=True)
class Cell:
    """One route with the status that each caller gets."""

    handler: Handler
    method: str
    route: str
    admin: int
    member: int
    staff: int
    stranger: int
    body: Any = None
    """The request's body, or a function that makes it from the result of `prepare`."""
    headers: dict[str, str] | None = None
    prepare: Callable[[Company], dict[str, str]] = lambda _: {}
    """Prepares the state that the request needs. Returns path parameters besides the account."""
    query: dict[str, str] | None = None


def read(route: str, handler: Handler = get_billing) -> Cell:
    return Cell(handler, "GET", route, admin=200, member=200, staff=200, stranger=404)


def admins_change(area: str, body: Any) -> Cell:
    return Cell(update_billing_information, "PUT", INFORMATION + area, 200, 403, 403, 404, body, {"If-Match": '"1"'})


def with_manager(company: Company) -> dict[str, str]:
    make_reviewable(company)
    return {"success_manager": MANAGER}


def with_review(company: Company) -> dict[str, str]:
    return {"review": make_reviewable(company).booked()}


def with_setup(company: Company) -> dict[str, str]:
    """The admin's browser has confirmed a setup of a card."""
    event = request("POST", METHOD + "/setup", claims=company.admin, path=company.path, body={})
    setup = answer(update_payment_method, event).body
    confirm(ACCOUNT_AT_STRIPE[0], setup)
    return {"setup_intent": setup["setup_intent"]}


@pytest.fixture(scope="module", autouse=True)
def documents(aws: None) -> Iterator[None]:
    """An empty bucket of documents."""
    place: Any = {"LocationConstraint": REGION}
    bucket = boto3.resource("s3", region_name=REGION).create_bucket(Bucket=DOCUMENTS, CreateBucketConfiguration=place)
    yield
    bucket.delete()


def with_invoice(company: Company) -> dict[str, str]:
    """The first invoice of the contract."""
    [number] = issue_invoices(
        company.account, now=NOW, correlation="test", settings=wiring.invoicing_settings(), store=wiring.invoice_store()
    )[:1]
    return {"number": number}


def with_transfer(company: Company) -> dict[str, str]:
    """A transfer of a part of the first invoice."""
    with_invoice(company)
    event = request("POST", TRANSFERS, claims=STAFF, path=company.path, body=ARRIVED)
    return {"transfer": answer(record_payment, event).body["transfer"]["id"]}


def with_claim(_: Company) -> dict[str, str]:
    """An open claim in both directions."""
    number, day = "LV-2025-000001", NOW.date()
    claim = OpenClaim(number, "gone", "receipt", NOW, day, "EUR", InvoicePayment(day, 100), "en", to_repay=100)
    wiring.claim_store().save([claim])
    return {"claim": number}


def with_entry(_: Company) -> dict[str, str]:
    """A bank statement with a doubtful entry."""
    body = {"file": b64encode(camt053(Paid(500, "coffee"))).decode()}
    [statement] = answer(import_bank_statements, request("POST", "/bank-statements", claims=STAFF, body=body)).body[
        "statements"
    ]
    return {"statement": statement["id"], "entry": statement["entries"][0]["entry"]}


def with_ignored_entry(company: Company) -> dict[str, str]:
    """A bank entry that staff ignore."""
    path = with_entry(company)
    ignored = request(
        "POST", BANK_ENTRY + "/decision", claims=STAFF, path=path, body=IGNORED, headers={"If-Match": '"2"'}
    )
    assert answer(import_bank_statements, ignored).status == 200
    return path


def with_held_invoices(company: Company) -> dict[str, str]:
    """The first two wait for staff. Gives their sum."""
    store = wiring.invoice_store()
    billing = existing(store.billing_context(company.account))
    event = RequestContext(Actor(ActorKind.SYSTEM, None), NOW, "test")
    hold = InvoicingHold(company.account, NOW, billing.subscriber.account.contract.start, 2, Money(1, "EUR"))
    facts = {"invoices": 2, "total": {"amount": 1, "currency": "EUR"}, "since": NOW.date(), "until": NOW.date()}
    held = new_event(EventType.INVOICING_HELD, event, account=company.account, before=None, after=facts)
    store.hold(billing, hold, held)
    shown = answer(release_invoicing, request("GET", RELEASE, claims=STAFF, path=company.path)).body
    return {"total": str(shown["total"]["amount"])}


def released(prepared: dict[str, str]) -> dict[str, Any]:
    return {"invoices": 2, "total": {"amount": int(prepared["total"]), "currency": "EUR"}}


def with_end(company: Company) -> dict[str, str]:
    """A deactivated account with a card. Returns the price of its reactivation, in minor units."""
    card(company, ACCOUNT_AT_STRIPE[0])
    deactivate(company)
    quote = answer(administer_reactivation, request("GET", REACTIVATION, claims=company.admin, path=company.path)).body
    return {"due": str(quote["offer"]["invoice"]["due"]["amount"])}


def agreed(prepared: dict[str, str]) -> dict[str, Any]:
    return {"due": {"amount": int(prepared["due"]), "currency": "EUR"}, "confirmed": True}


def with_receipt(company: Company) -> dict[str, str]:
    """The receipt of another account's deletion."""
    receipt = Receipt("01KTRPENG07H37QHTTH7QTSRGK", "0" * 64, NOW, NOW, {"page": 5}, "1" * 64)
    item = {"pk": "RECEIPTS", "sk": f"RECEIPT#{receipt.id}", "body": receipt_body(receipt)}
    restore_items([item])
    return {"receipt": receipt.id}


def with_rates(_: Company) -> dict[str, str]:
    """The exchange rates of a day."""
    body = rates_body(DailyRatesBody.model_validate(RATES).value(NOW.date()))
    restore_items([{"pk": "EXCHANGE-RATES", "sk": "RATES#2026-06-10", "body": body, "version": 1}])
    return {"day": "2026-06-10"}


def with_another_version(company: Company) -> dict[str, str]:
    """The catalogue has a version 2."""
    body = with_value(CATALOGUE, 5900, "products", 0, "tiers", 0, "prices", "EUR")
    event = request("PUT", "/catalogue", claims=STAFF, body=body, headers={"If-Match": '"1"'})
    assert answer(administer_catalogue, event).status == 200
    return company.path


def with_pending_version(company: Company) -> dict[str, str]:
    """Staff move the account to version 2."""
    with_another_version(company)
    body, headers = {"version": 2, "reason": "Prices of 2027"}, {"If-Match": '"1"'}
    event = request("PUT", VERSION, claims=STAFF, path=company.path, body=body, headers=headers)
    assert answer(administer_subscriptions, event).status == 200
    return company.path


def with_ending_product(company: Company) -> dict[str, str]:
    """Staff have ended a product."""
    path, body = {**company.path, "product": "search"}, {"reason": "They asked for it"}
    headers = {"If-Match": '"1"'}
    event = request("PUT", PRODUCT + "/ending", claims=STAFF, path=path, body=body, headers=headers)
    assert answer(administer_subscriptions, event).status == 200
    return {"product": "search"}


def with_one_off(company: Company) -> dict[str, str]:
    """Staff have added a charge to the next invoice."""
    path = {**company.path, "one_off": "training"}
    event = request("PUT", ONE_OFF, claims=STAFF, path=path, body=TRAINING)
    assert answer(release_invoicing, event).status == 200
    return {"one_off": "training"}


def with_longer_term(company: Company) -> dict[str, str]:
    """Staff have proposed a longer term."""
    event = request("PUT", TERM, claims=STAFF, path=company.path, body=LONGER, headers={"If-Match": '"0"'})
    given = answer(administer_subscriptions, event)
    assert given.status == 200
    return {"term": given.body["change"]["term"]}


def proposed_term(prepared: dict[str, str]) -> dict[str, str]:
    """The consent to the term that staff have proposed."""
    return {"term": prepared.get("term", "none")}


def with_clock(_: Company) -> dict[str, str]:
    """A test clock."""
    body = clock_body(new_clock("q1", NOW, NOW))
    restore_items([{"pk": "TEST-CLOCKS", "sk": "CLOCK#q1", "body": body, "version": 1}])
    return {"clock": "q1"}


def with_vat_check(company: Company) -> dict[str, str]:
    """VIES calls the company's number invalid, and an invoice was issued before that."""
    check = VatNumberCheck("DK13585628", VatResult.INVALID, answered_on=NOW.date(), since=NOW.date())
    partition, body = f"ACCOUNT#{company.account}", check_body(check)
    restore_items([{"pk": partition, "sk": "PAGE#VAT-CHECK", "body": body, "version": 1}])
    restore_items([{"pk": partition, "sk": "VAT-CHECK#LV-2026-000001", "body": body}])
    return {"number": "LV-2026-000001"}


def about_managers(method: str, route: str, body: Any = None) -> Cell:
    return Cell(administer_success_managers, method, route, 403, 403, 200, 403, body, {"If-Match": '"1"'}, with_manager)


def confirmed(prepared: dict[str, str]) -> dict[str, str]:
    return {"setup_intent": prepared["setup_intent"]}


def with_appointment(company: Company) -> dict[str, str]:
    """Staff have announced an admin."""
    event = request("POST", APPOINTMENT, claims=STAFF, path=company.path, body=APPOINTED)
    return {"appointment": answer(administer_users, event).body["appointment"]}


def objection(prepared: dict[str, str]) -> dict[str, str]:
    return {"appointment": prepared["appointment"]}


# The table of DESIGN 3.4. A route without a row fails test_every_route_has_its_row.
MATRIX = [
    Cell(list_accounts, "GET", "/accounts", 200, 200, 200, 200),
    read("/accounts/{account}/billing"),
    read("/accounts/{account}/subscription"),
    read("/accounts/{account}/payment-method"),
    read("/accounts/{account}/invoices", get_invoices),
    read("/accounts/{account}/invoices/upcoming", get_invoices),
    Cell(get_invoices, "GET", INVOICE, 200, 200, 200, 404, prepare=with_invoice),
    Cell(get_invoice_document, "GET", INVOICE + "/pdf", 202, 202, 202, 404, prepare=with_invoice),
    Cell(get_invoice_document, "GET", INVOICE + "/xml", 202, 202, 202, 404, prepare=with_invoice),
    Cell(issue_credit_note, "POST", INVOICE + "/credit-notes", 403, 403, 201, 404, WRONG, None, with_invoice),
    Cell(issue_credit_note, "POST", INVOICE + "/credit-notes/preview", 403, 403, 200, 404, WRONG, None, with_invoice),
    Cell(issue_credit_note, "POST", INVOICE + "/correction", 403, 403, 201, 404, CORRECTED, None, with_invoice),
    Cell(issue_credit_note, "POST", INVOICE + "/correction/preview", 403, 403, 200, 404, CORRECTED, None, with_invoice),
    Cell(get_invoices, "GET", "/invoices/past-due", 403, 403, 200, 403),
    Cell(get_invoices, "GET", "/invoices", 403, 403, 200, 403, query={"month": "2026-06"}),
    Cell(get_invoices, "GET", "/credit-notes", 403, 403, 200, 403, query={"month": "2026-06"}),
    Cell(get_invoices, "GET", "/invoice-register", 403, 403, 200, 403, query={"series": "LV", "year": "2026"}),
    read("/accounts/{account}/one-offs", release_invoicing),
    Cell(release_invoicing, "PUT", ONE_OFF, 403, 403, 200, 404, TRAINING, prepare=lambda _: {"one_off": "training"}),
    Cell(release_invoicing, "DELETE", ONE_OFF, 403, 403, 200, 404, prepare=with_one_off),
    Cell(release_invoicing, "GET", RELEASE, 403, 403, 200, 404, prepare=with_held_invoices),
    Cell(release_invoicing, "POST", RELEASE, 403, 403, 200, 404, released, None, with_held_invoices),
    Cell(release_invoicing, "GET", "/invoicing/held", 403, 403, 200, 403),
    Cell(administer_exchange_rates, "GET", "/exchange-rates", 403, 403, 200, 403),
    Cell(administer_exchange_rates, "GET", "/exchange-rates/{day}", 403, 403, 200, 403, prepare=with_rates),
    Cell(
        administer_exchange_rates,
        "PUT",
        "/exchange-rates/{day}",
        403,
        403,
        200,
        403,
        {**RATES, "rates": {"DKK": "7.4605"}},
        {"If-Match": '"1"'},
        with_rates,
    ),
    Cell(administer_exchange_rates, "GET", "/invoicing/awaiting-rates", 403, 403, 200, 403),
    Cell(administer_exchange_rates, "GET", "/tax-rates", 403, 403, 200, 403),
    # The seller of these tests has the VAT of a member state.
    Cell(administer_exchange_rates, "PUT", "/tax-rates", 403, 403, 409, 403, {"rates": []}, {"If-None-Match": "*"}),
    Cell(administer_exchange_rates, "GET", "/invoicing/awaiting-tax-rates", 403, 403, 200, 403),
    Cell(administer_exchange_rates, "GET", "/tax-exemptions", 403, 403, 200, 403),
    Cell(administer_test_clocks, "GET", "/test-clocks", 403, 403, 200, 403),
    Cell(administer_test_clocks, "POST", "/test-clocks", 403, 403, 201, 403, {"test_clock": "q2", "now": CLOCK_BEGINS}),
    Cell(administer_test_clocks, "GET", CLOCK, 403, 403, 200, 403, prepare=with_clock),
    Cell(administer_test_clocks, "DELETE", CLOCK, 403, 403, 202, 403, prepare=with_clock),
    Cell(
        administer_test_clocks,
        "POST",
        CLOCK + "/advance",
        403,
        403,
        202,
        403,
        {"to": "2026-07-01T00:00:00Z"},
        None,
        with_clock,
    ),
    Cell(administer_claims, "GET", "/open-claims", 403, 403, 200, 403),
    Cell(administer_claims, "GET", CLAIM, 403, 403, 200, 403, prepare=with_claim),
    Cell(administer_claims, "POST", CLAIM + "/payments", 403, 403, 200, 403, TRANSFERRED, None, with_claim),
    Cell(administer_claims, "POST", CLAIM + "/repayments", 403, 403, 200, 403, REPAID, None, with_claim),
    Cell(administer_claims, "POST", CLAIM + "/write-off", 403, 403, 200, 403, {"reason": "Gone"}, None, with_claim),
    Cell(administer_vat_numbers, "GET", "/vat-number-checks", 403, 403, 200, 403),
    Cell(administer_vat_numbers, "GET", VAT_NUMBER, 403, 403, 200, 404, prepare=with_vat_check),
    Cell(
        administer_vat_numbers,
        "PUT",
        VAT_NUMBER + "/decision",
        403,
        403,
        200,
        404,
        {"treatment": "reverse_charge", "reason": "The tax authority has confirmed it."},
        {"If-Match": '"1"'},
        with_vat_check,
    ),
    Cell(administer_vat_numbers, "GET", INVOICE + "/vat-number-check", 403, 403, 200, 404, prepare=with_vat_check),
    Cell(import_bank_statements, "POST", "/bank-statements", 403, 403, 200, 403, {"file": STATEMENT}),
    Cell(import_bank_statements, "GET", "/bank-statements", 403, 403, 200, 403),
    Cell(import_bank_statements, "GET", "/bank-statements/{statement}", 403, 403, 200, 403, prepare=with_entry),
    Cell(import_bank_statements, "GET", "/bank-entries", 403, 403, 200, 403),
    Cell(import_bank_statements, "GET", BANK_ENTRY, 403, 403, 200, 403, prepare=with_entry),
    Cell(
        import_bank_statements,
        "POST",
        BANK_ENTRY + "/decision",
        403,
        403,
        200,
        403,
        IGNORED,
        {"If-Match": '"2"'},
        with_entry,
    ),
    Cell(
        import_bank_statements,
        "POST",
        BANK_ENTRY + "/take-back",
        403,
        403,
        200,
        403,
        {"reason": "wrong"},
        {"If-Match": '"3"'},
        with_ignored_entry,
    ),
    Cell(record_payment, "GET", TRANSFERS, 403, 403, 200, 404),
    Cell(record_payment, "GET", TRANSFERS + "/{transfer}", 403, 403, 200, 404, prepare=with_transfer),
    Cell(record_payment, "POST", TRANSFERS, 403, 403, 200, 404, ARRIVED, None, with_invoice),
    Cell(
        record_payment,
        "POST",
        TRANSFERS + "/{transfer}/take-back",
        403,
        403,
        200,
        404,
        {"reason": "Another customer's"},
        None,
        with_transfer,
    ),
    Cell(record_payment, "POST", INVOICE + "/payments", 403, 403, 200, 404, TRANSFERRED, None, with_invoice),
    Cell(
        record_payment,
        "PUT",
        INVOICE + "/reminder-pause",
        403,
        403,
        200,
        404,
        {"until": None, "reason": "Disputed"},
        {"If-Match": '"1"'},
        with_invoice,
    ),
    Cell(record_payment, "DELETE", INVOICE + "/reminder-pause", 403, 403, 200, 404, None, None, with_invoice),
    Cell(record_payment, "POST", INVOICE + "/write-off", 403, 403, 200, 404, {"reason": "Gone"}, None, with_invoice),
    Cell(record_payment, "POST", INVOICE + "/repayments", 403, 403, 422, 404, REPAID, None, with_invoice),
    Cell(update_payment_method, "POST", INVOICE + "/consent", 409, 403, 403, 404, None, None, with_invoice),
    Cell(update_payment_method, "POST", INVOICE + "/payment-attempts", 409, 403, 403, 404, None, None, with_invoice),
    read("/accounts/{account}/usage", get_usage),
    read("/accounts/{account}/usage/reduction", get_usage),
    Cell(correct_usage, "POST", "/accounts/{account}/usage/corrections", 403, 403, 201, 404, correction()),
    read(INFORMATION + "company"),
    read(INFORMATION + "billing"),
    read(INFORMATION + "contact"),
    Cell(update_payment_method, "POST", METHOD + "/setup", 201, 403, 403, 404, {}),
    Cell(update_payment_method, "PUT", METHOD, 200, 403, 403, 404, confirmed, None, with_setup),
    Cell(update_payment_method, "PUT", METHOD + "/bank-transfer", 403, 403, 200, 404),
    Cell(update_payment_method, "GET", "/accounts/{account}/payment-term", 403, 403, 200, 404),
    Cell(
        update_payment_method,
        "PUT",
        "/accounts/{account}/payment-term",
        403,
        403,
        200,
        404,
        {"days": 30, "reason": "Agreed"},
        {"If-Match": '"1"'},
    ),
    Cell(administer_cancellation, "GET", "/cancellations", 403, 403, 200, 403),
    Cell(administer_cancellation, "GET", CANCELLATION, 200, 403, 403, 404),
    Cell(administer_cancellation, "POST", CANCELLATION, 201, 403, 403, 404, CANCELLED),
    Cell(administer_cancellation, "DELETE", CANCELLATION, 204, 403, 403, 404),
    Cell(administer_reactivation, "GET", REACTIVATION, 200, 403, 403, 404, prepare=with_end),
    Cell(administer_reactivation, "POST", REACTIVATION, 202, 403, 403, 404, agreed, None, with_end),
    Cell(administer_downloads, "GET", "/accounts/{account}/export", 200, 403, 403, 404),
    Cell(administer_downloads, "POST", "/accounts/{account}/export", 202, 403, 403, 404),
    Cell(administer_downloads, "GET", ARCHIVE, 200, 200, 200, 404, query={"year": "2026"}),
    Cell(administer_downloads, "POST", ARCHIVE, 202, 202, 202, 404, query={"year": "2026"}),
    Cell(get_reconciliation, "GET", "/reconciliation", 403, 403, 200, 403),
    Cell(get_deletions, "GET", "/deletions", 403, 403, 200, 403),
    Cell(get_deletions, "GET", "/deletions/{receipt}", 403, 403, 200, 403, prepare=with_receipt),
    read("/accounts/{account}/stores", administer_subscriptions),
    Cell(
        administer_subscriptions,
        "PUT",
        "/accounts/{account}/stores/{store}",
        403,
        403,
        200,
        404,
        {"name": "nordlys.example/fi"},
        {"If-Match": '"2"'},
        lambda _: {"store": "nordlys-fi"},
    ),
    Cell(
        administer_subscriptions,
        "PUT",
        PRODUCT,
        403,
        403,
        200,
        404,
        {"up_to": 25_000, "reason": "They grow"},
        {"If-Match": '"1"'},
        lambda _: {"product": "search"},
    ),
    Cell(
        administer_subscriptions,
        "PUT",
        PRODUCT + "/ending",
        403,
        403,
        200,
        404,
        {"reason": "They asked for it"},
        {"If-Match": '"1"'},
        lambda _: {"product": "search"},
    ),
    Cell(administer_subscriptions, "DELETE", PRODUCT + "/ending", 200, 403, 200, 404, prepare=with_ending_product),
    Cell(administer_subscriptions, "GET", VERSION, 403, 403, 200, 404),
    Cell(
        administer_subscriptions,
        "PUT",
        VERSION,
        403,
        403,
        200,
        404,
        {"version": 2, "reason": "Prices of 2027"},
        {"If-Match": '"1"'},
        with_another_version,
    ),
    Cell(administer_subscriptions, "DELETE", VERSION, 403, 403, 200, 404, prepare=with_pending_version),
    read("/accounts/{account}/tax-exemptions", administer_subscriptions),
    Cell(
        administer_subscriptions,
        "PUT",
        "/accounts/{account}/tax-exemptions",
        403,
        403,
        200,
        404,
        {"exemptions": [EXEMPT]},
        {"If-Match": '"0"'},
    ),
    read(TERM, administer_subscriptions),
    Cell(administer_subscriptions, "PUT", TERM, 403, 403, 200, 404, LONGER, {"If-Match": '"0"'}),
    Cell(
        administer_subscriptions, "POST", TERM + "/consent", 200, 403, 403, 404, proposed_term, None, with_longer_term
    ),
    Cell(administer_subscriptions, "DELETE", TERM, 204, 403, 204, 404, prepare=with_longer_term),
    read("/accounts/{account}/discounts", administer_subscriptions),
    Cell(
        administer_subscriptions,
        "PUT",
        "/accounts/{account}/discounts",
        403,
        403,
        200,
        404,
        {"discounts": []},
        {"If-Match": '"1"'},
    ),
    admins_change("company", OTHER_COMPANY),
    admins_change("billing", {"email": "other@nordlys.example", "language": "it"}),
    admins_change("contact", {"name": "Bo Lind", "phone": None}),
    Cell(get_events, "GET", "/accounts/{account}/events", 200, 403, 200, 404),
    Cell(administer_users, "GET", "/accounts/{account}/users", 200, 200, 200, 404),
    Cell(administer_users, "PUT", "/accounts/{account}/users", 200, 403, 403, 404, NEWCOMER),
    Cell(administer_users, "DELETE", "/accounts/{account}/users/{user}", 204, 403, 403, 404),
    Cell(administer_users, "GET", APPOINTMENT, 200, 403, 200, 404, prepare=with_appointment),
    Cell(administer_users, "POST", APPOINTMENT, 403, 403, 201, 404, APPOINTED),
    Cell(administer_users, "DELETE", APPOINTMENT, 403, 403, 204, 404, prepare=with_appointment),
    Cell(administer_users, "POST", APPOINTMENT + "/objection", 200, 403, 403, 404, objection, None, with_appointment),
    Cell(administer_users, "GET", "/accounts/{account}/provisioning", 403, 403, 200, 404),
    Cell(  # an admin has logged in
        administer_users,
        "PUT",
        "/accounts/{account}/provisioning",
        403,
        403,
        409,
        404,
        {"first_admin": {"email": "dina@nordlys.example", "name": "Dina"}, "reason": "A typo."},
        {"If-Match": '"2"'},
    ),
    Cell(administer_catalogue, "GET", "/catalogue", 403, 403, 200, 403),
    Cell(administer_catalogue, "PUT", "/catalogue", 403, 403, 200, 403, CATALOGUE, {"If-Match": '"1"'}),
    about_managers("GET", "/success-managers"),
    about_managers("GET", "/success-managers/{success_manager}"),
    about_managers("PUT", "/success-managers/{success_manager}", {**SOFIE, "place": None}),
    Cell(administer_success_managers, "GET", CONTACT, 200, 200, 200, 404, prepare=with_manager),
    Cell(
        administer_success_managers,
        "PUT",
        CONTACT,
        403,
        403,
        200,
        404,
        {"success_manager": MANAGER},
        None,
        with_manager,
    ),
    Cell(administer_reviews, "GET", "/reviews", 403, 403, 200, 403, query={"manager": MANAGER}),
    Cell(administer_reviews, "GET", REVIEWS, 200, 200, 200, 404),
    Cell(administer_reviews, "GET", REVIEWS + "/slots", 200, 200, 200, 404, prepare=with_manager),
    Cell(administer_reviews, "POST", REVIEWS, 201, 403, 403, 404, {"begins": BEGINS}, None, with_manager),
    Cell(administer_reviews, "GET", REVIEWS + "/{review}", 200, 200, 200, 404, prepare=with_review),
    Cell(administer_reviews, "DELETE", REVIEWS + "/{review}", 204, 403, 403, 404, prepare=with_review),
    Cell(administer_reviews, "PUT", REVIEWS + "/{review}/decision", 403, 403, 200, 404, DECLINED, None, with_review),
    Cell(administer_autoscaling, "GET", "/autoscaling-decisions", 403, 403, 200, 403, query={"month": "2026-06"}),
    Cell(administer_autoscaling, "GET", AUTOSCALING, 200, 200, 200, 404),
    Cell(administer_autoscaling, "GET", AUTOSCALING + "/settings", 200, 200, 200, 404),
    Cell(administer_autoscaling, "PUT", AUTOSCALING + "/settings", 403, 403, 200, 404, {}, {"If-Match": '"0"'}),
    Cell(administer_autoscaling, "POST", AUTOSCALING + "/simulations", 200, 403, 200, 404, {"product": "search"}),
    Cell(
        provision_account,
        "POST",
        "/accounts",
        403,
        403,
        201,
        403,
        with_value(ACCOUNT, "other-shop", "account"),
    ),
]
FOR_MACHINES = [
    Cell(record_usage, "POST", "/usage", 401, 401, 401, 401, cloud_event()),
    Cell(correct_usage, "POST", "/usage/corrections", 401, 401, 401, 401, {**correction(), "account": "nordlys-kaffe"}),
]
"""The routes that no person may use."""

ACCOUNT_AT_STRIPE: list[Stripe] = []
"""The Stripe account of the current test, at most one."""


@pytest.fixture(autouse=True)
def account_at_stripe(stripe_account: Stripe) -> Iterator[None]:
    ACCOUNT_AT_STRIPE.append(stripe_account)
    yield
    ACCOUNT_AT_STRIPE.clear()


NOTHING = {
    **dict.fromkeys(["appointment", "due", "entry", "number", "receipt", "review", "statement", "total"], "0"),
    "day": "2026-06-10",
    "clock": "q1",
    "claim": "LV-2025-000001",
    "setup_intent": "seti_0",
    "one_off": "training",
    "product": "search",
    "store": "nordlys-fi",
    "success_manager": "nobody",
    "transfer": "20260610-0-1",
}
"""Parameters for requests without prepared state."""

NAMES = [f"{cell.method} {cell.route}" for cell in MATRIX]


def ask(cell: Cell, claims: dict[str, str] | None, company: Company, prepared: dict[str, str] | None = None) -> Any:
    path = dict(prepared or {})
    if "{account}" in cell.route:
        path["account"] = company.account
    if "{user}" in cell.route:
        path["user"] = company.member["sub"]
    body = cell.body(prepared) if callable(cell.body) else cell.body
    return answer(
        cell.handler,
        request(cell.method, cell.route, claims=claims, path=path, body=body, headers=cell.headers, query=cell.query),
    )


def test_every_route_has_its_row() -> None:
    routes = {(method.upper(), path) for path, methods in document()["paths"].items() for method in methods}

    assert {(cell.method, cell.route) for cell in [*MATRIX, *FOR_MACHINES]} == routes
    assert len(MATRIX) + len(FOR_MACHINES) == len(routes)


@pytest.mark.parametrize("role", ["admin", "member", "staff", "stranger"])
@pytest.mark.parametrize("cell", [*MATRIX, *FOR_MACHINES], ids=lambda cell: f"{cell.method} {cell.route}")
def test_the_matrix(cell: Cell, role: str, company: Company) -> None:
    claims = {"admin": company.admin, "member": company.member, "staff": STAFF, "stranger": STRANGER}[role]
    prepared = cell.prepare(company)
    before = stored_items()

    given = ask(cell, claims, company, prepared)

    assert given.status == getattr(cell, role), given
    if given.status >= 400:
        assert given.headers["Content-Type"] == "application/problem+json"
        assert stored_items() == before


@pytest.mark.parametrize("cell", MATRIX, ids=NAMES)
@pytest.mark.parametrize(
    "claims",
    [None, MACHINE, {**MACHINE, "cognito:groups": "[staff]"}, {"token_use": "id"}, {"sub": "staff-1"}],
    ids=["nobody", "machine", "machine that says staff", "no subject", "no kind of token"],
)
def test_a_caller_without_a_persons_id_token_is_refused(
    cell: Cell, claims: dict[str, str] | None, company: Company
) -> None:
    # Nothing is prepared: the refusal must not depend on any state.
    before = stored_items()

    given = ask(cell, claims, company, NOTHING)

    assert given.status == 401, given
    assert given.body["type"] == "urn:livello:problem:unauthenticated"
    assert stored_items() == before


@pytest.mark.parametrize("cell", [cell for cell in MATRIX if cell.member == 403 and cell.admin != 403])
def test_a_refused_member_learns_the_names_of_the_admins(cell: Cell, company: Company) -> None:
    given = ask(cell, company.member, company, cell.prepare(company))

    assert given.body["type"] == "urn:livello:problem:admins-only"
    assert given.body["admins"] == [{"name": "Ada Holm", "email": "ada@nordlys.example", "status": "active"}]


@pytest.mark.parametrize("cell", [cell for cell in MATRIX if "{account}" in cell.route])
def test_a_stranger_cannot_distinguish_another_companys_account_from_a_missing_one(
    cell: Cell, company: Company
) -> None:
    prepared = cell.prepare(company)

    existing = ask(cell, STRANGER, company, prepared)
    missing = ask(cell, STRANGER, Company("no-such-account", company.admin, company.member), prepared)

    assert existing.status == missing.status == 404
    assert existing.body == missing.body


def test_staff_have_only_staff_permissions_in_an_account_that_lists_them_as_admin(company: Company) -> None:
    """An admin who became staff later loses the admin's permissions."""
    admin_made_staff = {**company.admin, "cognito:groups": "[sales, staff]"}

    given = answer(
        administer_users,
        request("PUT", "/accounts/{account}/users", claims=admin_made_staff, path=company.path, body=NEWCOMER),
    )

    assert given.status == 403


@pytest.mark.parametrize("groups", ["staff", "[staff]", "[sales staff]", "sales,staff", "[sales, staff]"])
def test_all_formats_of_the_groups_claim_are_read(groups: str, company: Company) -> None:
    asked = request("GET", "/catalogue", claims=person("staff-2", groups=groups))

    assert answer(administer_catalogue, asked).status == 200


@pytest.mark.parametrize("groups", ["", "[]", "[staffing]", "no-staff", "[Staff]"])
def test_other_groups_are_not_staff(groups: str, company: Company) -> None:
    asked = request("GET", "/catalogue", claims=person("staff-2", groups=groups))

    assert answer(administer_catalogue, asked).status == 403
