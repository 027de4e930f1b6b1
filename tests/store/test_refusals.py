"""Every verb of every store raises the same error for a throttle, a collision, and any other refusal of DynamoDB."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import billing
import pytest
from billing.accounts.appointment_records import AppointmentStore
from billing.accounts.appointments import Appointment
from billing.accounts.information import Area, BillingDetails
from billing.accounts.log_in_records import Leaving, LogInStore
from billing.accounts.records import AccountStore
from billing.accounts.rules import Account
from billing.accounts.term_records import TermStore
from billing.accounts.terms import NewCurrency, TermChange, TermState
from billing.accounts.vat_number_due import VatNumberDue
from billing.billing_page.list_index_records import ListIndexStore
from billing.billing_page.list_records import AccountListStore
from billing.billing_page.listing import Asked
from billing.billing_page.records import BillingPageStore
from billing.correspondence.audiences import Delivery
from billing.correspondence.records import DeliveryStore
from billing.ending.cancellation.records import CancellationState, CancellationStore, ClosingReview
from billing.ending.cancellation.rules import Cancellation, Reason, Requester
from billing.ending.deletion.claim_records import ClaimStore
from billing.ending.deletion.claims import OpenClaim
from billing.ending.deletion.records import Purge, PurgeStore, StoredInvoice
from billing.ending.deletion.rules import Receipt
from billing.ending.due import EndingDue, EndingStage
from billing.ending.erasure.records import ErasureStore
from billing.ending.erasure.rules import Aliases, Erasure
from billing.ending.exports.records import DownloadStore
from billing.ending.exports.rules import Download, DownloadKind
from billing.ending.reactivation.records import ReactivationStore
from billing.ending.reactivation.rules import Reactivation, ReactivationState
from billing.invoicing.bank_statements.entries import BankEntry, EntryStatus, imported
from billing.invoicing.bank_statements.records import BankStatementStore, Located
from billing.invoicing.bank_statements.rules import Booking, Statement
from billing.invoicing.due import CollectionDue
from billing.invoicing.dunning import InvoicePayment, initial_payment
from billing.invoicing.exchange_rates.records import ExchangeRateStore, RateReads
from billing.invoicing.exchange_rates.rules import AwaitedRate, DailyRates
from billing.invoicing.exemptions.records import ExemptionStore
from billing.invoicing.exemptions.rules import NO_EXEMPTIONS
from billing.invoicing.holds import InvoicingHold
from billing.invoicing.numbering import NextNumber
from billing.invoicing.one_off_records import OneOffStore
from billing.invoicing.one_offs import OneOff, OneOffKind, Settled
from billing.invoicing.periods import fix_month
from billing.invoicing.reconciliation.records import ReconciliationStore, RecordedBooks
from billing.invoicing.reconciliation.rules import Finding, Rule
from billing.invoicing.records import BillingContext, DocumentOfAccount, InvoiceStore, PaymentChange, WholeInvoice
from billing.invoicing.tax import AwaitedTaxRate
from billing.invoicing.tax_rates.records import TaxRateStore
from billing.invoicing.tax_rates.rules import TaxRates
from billing.invoicing.transfer_records import TransferStore
from billing.invoicing.transfers import BankTransfer, Transfer
from billing.invoicing.vat_numbers.records import VatNumberState, VatNumberStore
from billing.invoicing.vat_numbers.rules import Outage, VatNumberCheck
from billing.kernel.errors import Busy, ConcurrentChange
from billing.kernel.money import Money
from billing.kernel.schedules import Job
from billing.kernel.test_clocks import new_clock
from billing.payments.gateway import Merchant
from billing.payments.methods import CardWarning, PaymentProfile
from billing.payments.records import Payer, PaymentStore
from billing.platform.due_work.records import DueStore
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.table import Table
from billing.platform.events.records import EventStore
from billing.platform.test_clocks.records import ClockStore
from billing.scaling.records import AutoscalingState, AutoscalingStore
from billing.scaling.reviews.records import ReviewStore
from billing.scaling.reviews.success_manager_records import SuccessManagerStore
from billing.scaling.tier_changes import AutoscalingSettings
from billing.subscriptions.catalogue import Catalogue
from billing.subscriptions.catalogue_records import CatalogueStore
from billing.subscriptions.records import SubscriptionStore
from billing.subscriptions.subscriber import Subscriber
from billing.usage.corrections import Figures, RecordedUsageCorrection, UsageCorrection
from billing.usage.records import RejectedDay, UsageCorrectionState, UsageStore, counters_of
from billing.usage.rules import UsageEvent
from billing.usage.thresholds import AlertState
from billing.usage.totals import UsageReads
from botocore.exceptions import ClientError, ReadTimeoutError

from tests.aws import TABLE
from tests.documents.samples import invoice as issued
from tests.store.samples import ACCOUNT, ADMIN, BILLING, DUE, MEMBER, NOON, PAGE, REVIEW, SOFIE, sample_event

ID, TODAY = ACCOUNT.id, date(2026, 6, 10)
EVENT, SHARED = sample_event(), sample_event(account=None)
SUBSCRIBER = Subscriber(ACCOUNT, PAGE.subscription)
WHOLE = WholeInvoice.new(issued(), initial_payment(issued(), issued().produced_on))
RECORD = WHOLE.record
CHANGES = (PaymentChange(RECORD, RECORD.payment),)
TRANSFER = Transfer("20260610-0-1", "4711", Money(1, "EUR"), TODAY, (), NOON, None)
CONTEXT = BillingContext(
    subscriber=SUBSCRIBER,
    profile=PaymentProfile(),
    company=PAGE.information.company.details,
    billing=PAGE.information.billing.details,
    due=BILLING,
    credit=0,
    credit_version=0,
    collection=CollectionDue(TODAY),
)
ONE_OFF = OneOff("training", OneOffKind.CHARGE, "Training", (), Money(1, "EUR"), 1, "Agreed", TODAY, NOON, "staff-1")
CLOSED = Settled((), (ONE_OFF,))
ASKED = DocumentOfAccount(ACCOUNT, "LV-2026-000001", None)
FIXED = fix_month(ACCOUNT, PAGE.subscription, BILLING, None)
BOOKING = Booking(Money(500, "EUR"), TODAY)
STATEMENT = Statement("DE", "1", "EUR", TODAY, TODAY, None, None, 500, (BOOKING,), 0, 0)
ENTRY = BankEntry("entry", STATEMENT.id, STATEMENT.account, BOOKING)
HOLD = InvoicingHold(ID, NOON, ACCOUNT.contract.start, 4, Money(1, "EUR"))
STATE = AutoscalingState(SUBSCRIBER, AutoscalingSettings(), DUE)
CANCELLATION = Cancellation(
    "receipt", NOON, Requester(ADMIN.id, ADMIN.name, ADMIN.email), Reason.NOT_USED, "", TODAY, TODAY, (), TODAY
)
APPOINTMENT = Appointment("appointment", MEMBER.email, MEMBER.name, "", NOON, NOON)
TERM = TermChange("term", 12, 6, "", NOON, TermState.PROPOSED)
KRONER = replace(TERM, state=TermState.AGREED, into=NewCurrency("DKK", 1, ()), start=ACCOUNT.contract.start)
NO_REVIEW = ClosingReview(None, None)
CANCELLABLE = CancellationState(SUBSCRIBER, PAGE.information.company.details, None, None)
DELIVERY = Delivery(ID, EVENT.id, "recipient")
DOWNLOAD = Download("download", ID, DownloadKind.EXPORT, None, NOON, ADMIN.id)
WARNING = CardWarning(30, NOON)
PAYER = Payer(SUBSCRIBER, PaymentProfile(), WARNING)
REACTIVATION = Reactivation(
    "reactivation",
    NOON,
    ADMIN.id,
    ReactivationState.PENDING,
    ACCOUNT.contract,
    PAGE.subscription,
    issued(),
    None,
    None,
)
PURGE = Purge(ID, "receipt", ACCOUNT.name, "en", (), (), None, "identity", NOON, {}, "")
CLAIM = OpenClaim("LV-2026-000001", ID, "receipt", NOON, TODAY, "EUR", InvoicePayment(TODAY, 1), "en", version=1)
LEAVING = Leaving(MEMBER.id, NOON)
ERASURE = Erasure(
    ID, MEMBER.id, "erased-1", NOON, ("customer", ADMIN.id), "request", Aliases(frozenset({MEMBER.id})), version=1
)
RECEIPT = Receipt("receipt", "identity", NOON, NOON, {}, "")
USED = UsageEvent(
    ID, "source", "1", "search", "shop", None, datetime(2026, 6, 10, tzinfo=UTC), TODAY, Decimal(1), 0, None
)
CORRECTION = UsageCorrection("1", ID, "search", "shop", None, TODAY, Decimal(-1), 0, None, "A typing error")
FIGURES = Figures(Decimal(1), Decimal(1), 0, None)
ALERT = AlertState(1, TODAY, 0, CORRECTION.identity)
UNCORRECTED = UsageCorrectionState(
    SUBSCRIBER, FIGURES, Decimal(1), None, {key: {} for key in counters_of(CORRECTION)}, None, None
)
CORRECTED = RecordedUsageCorrection(CORRECTION, EVENT.actor, NOON, FIGURES, FIGURES)
CHECK = VatNumberCheck("DE136695976")
VAT_STATE = VatNumberState(ACCOUNT, PAGE.information.company.details, 1, VatNumberDue(NOON), CHECK)
CLOCK = new_clock("q1", NOON, NOON)
MERCHANT = Merchant("acct_1", livemode=False)
OUTAGE = Outage("DE", NOON, NOON, "MS_UNAVAILABLE", told=False, version=1)
RATES = DailyRates(TODAY, "EUR", {"DKK": Decimal("7.4604")}, "ECB")
AWAITED = AwaitedRate(TODAY, "EUR")
AWAITED_TAX = AwaitedTaxRate("CH", TODAY)
BOOKS = RecordedBooks(CONTEXT, (), (), (), is_register_due=False)
FINDING = Finding(Rule.CREDIT_DIFFERS, ID, "balance", None, "the sum", "the balance", since=NOON)
LIST: dict[str, Any] = {"limit": 1, "after": None}

VERBS: dict[type[Table], dict[str, Callable[[Any], object]]] = {
    Table: {
        "accounts": lambda store: [*store.accounts()],
        "record_once": lambda store: store.record_once(ID, "subject", EVENT),
    },
    AppointmentStore: {
        "account_with_appointment": lambda store: store.account_with_appointment(ID),
        "announce": lambda store: store.announce(ACCOUNT, APPOINTMENT, EVENT),
        "appointment": lambda store: store.appointment(ID),
        "carry_out": lambda store: store.carry_out(ACCOUNT, APPOINTMENT, ADMIN, [EVENT], is_new=True),
        "end": lambda store: store.end(ID, APPOINTMENT, EVENT),
    },
    TermStore: {
        "account_with_term": lambda store: store.account_with_term(ID),
        "lapse": lambda store: store.lapse(ACCOUNT, TERM, EVENT),
    },
    AccountStore: {
        "account": lambda store: store.account(ID),
        "accounts_of": lambda store: store.accounts_of(ADMIN.id, **LIST),
        "clear_undeliverable": lambda store: store.clear_undeliverable(ID, ADMIN.email),
        "correspondents": lambda store: store.correspondents(ID),
        "details": lambda store: store.details(ID),
        "mark_undeliverable": lambda store: store.mark_undeliverable(ID, ADMIN.email, EVENT),
        "correct_provisioning": lambda store: store.correct_provisioning(
            ACCOUNT, ADMIN, [MEMBER], {}, [EVENT], None, NOON
        ),
        "note_log_in": lambda store: store.note_log_in(ID, ADMIN.id, NOON, is_admin=True),
        "remove_user": lambda store: store.remove_user(ACCOUNT, MEMBER.id, EVENT, NOON),
        "replace_information": lambda store: store.replace_information(
            ID, Area.BILLING, BillingDetails(ADMIN.email), 1, EVENT
        ),
        "save_account": lambda store: store.save_account(ACCOUNT, EVENT),
        "save_user": lambda store: store.save_user(ACCOUNT, MEMBER, EVENT),
        "users": lambda store: store.users(ID),
    },
    AccountListStore: {
        "candidates": lambda store: [*store.candidates(Asked(), NOON, after=None, at_once=2)],
        "first_past_due": lambda store: store.first_past_due(ID),
        "read": lambda store: store.read([ID]),
    },
    AutoscalingStore: {
        "decided_in": lambda store: store.decided_in(TODAY, outcome=None, **LIST),
        "decide": lambda store: store.decide(STATE, (), PAGE.subscription, [EVENT], DUE, NOON),
        "decisions": lambda store: store.decisions(ID, **LIST),
        "replace_settings": lambda store: store.replace_settings(ID, AutoscalingSettings(), 0, EVENT),
        "schedule": lambda store: store.schedule(ID, DUE, NOON),
        "state": lambda store: store.state(ID),
        "success_manager": lambda store: store.success_manager(replace(ACCOUNT, success_manager="sofie-lindgren")),
    },
    BillingPageStore: {
        "billing_page": lambda store: store.billing_page(ID),
        "change_exemptions": lambda store: store.change_exemptions(PAGE, NO_EXEMPTIONS, EVENT),
        "change_term": lambda store: store.change_term(PAGE, ACCOUNT, TERM, [EVENT], TODAY),
        "change_subscription": lambda store: store.change_subscription(PAGE, PAGE.subscription, EVENT),
        "provision": lambda store: store.provision(PAGE, ADMIN, EVENT, DUE, BILLING),
    },
    CancellationStore: {
        "cancellations": lambda store: store.cancellations(month=None, **LIST),
        "cancel": lambda store: store.cancel(CANCELLABLE, ACCOUNT, CANCELLATION, [EVENT], NO_REVIEW),
        "move_on": lambda store: store.move_on(ACCOUNT, EndingDue(EndingStage.PURGE, TODAY), [EVENT]),
        "follow_term": lambda store: store.follow_term(ACCOUNT, KRONER, EndingDue(EndingStage.NOTICE, TODAY)),
        "schedule": lambda store: store.schedule(ACCOUNT, EndingDue(EndingStage.NOTICE, TODAY)),
        "open_review": lambda store: store.open_review(ID),
        "state": lambda store: store.state(ID),
        "user": lambda store: store.user(ID, ADMIN.id),
        "withdraw": lambda store: store.withdraw(ACCOUNT, TODAY, EVENT),
    },
    ClaimStore: {
        "claim": lambda store: store.claim("LV-2026-000001"),
        "claims": lambda store: store.claims(**LIST),
        "expire": lambda store: store.expire(CLAIM, EVENT),
        "find": lambda store: store.find("LV-2026-000001"),
        "noted": lambda store: store.noted("pi_1"),
        "require_kept": lambda store: store.require_kept(ID),
        "save": lambda store: store.save([CLAIM], [EVENT]),
    },
    CatalogueStore: {
        "add_catalogue": lambda store: store.add_catalogue(Catalogue(1, ()), SHARED),
        "newest_catalogue": lambda store: store.newest_catalogue(),
    },
    DeliveryStore: {
        "as_recorded": lambda store: store.as_recorded(EVENT),
        "claim_delivery": lambda store: store.claim_delivery(DELIVERY, "one", NOON, NOON + timedelta(minutes=2)),
        "not_mailed_before": lambda store: store.not_mailed_before(EVENT),
        "note_mailed": lambda store: store.note_mailed(EVENT),
        "record_delivery": lambda store: store.record_delivery(DELIVERY, "message", NOON),
        "release_delivery": lambda store: store.release_delivery(DELIVERY, "one"),
    },
    DownloadStore: {
        "download": lambda store: store.download(ID, DownloadKind.EXPORT, None),
        "everything": lambda store: [*store.everything(ID)],
        "exists": lambda store: store.exists(ID),
        "save": lambda store: store.save(DOWNLOAD, EVENT),
        "state": lambda store: store.state(ID, DownloadKind.EXPORT, None),
        "usage": lambda store: [*store.usage(ID)],
    },
    DueStore: {"due": lambda store: [*store.due(Job.RENEWAL, NOON)]},
    ErasureStore: {
        "begin_erasure": lambda store: store.begin_erasure(
            ERASURE, ACCOUNT, PAGE.information, NOON, [EVENT], is_member=True
        ),
        "customer_of": lambda store: store.customer_of(ID, MEMBER.id),
        "downloads": lambda store: store.downloads(ID),
        "erasure": lambda store: store.erasure(ID, MEMBER.id),
        "erasures": lambda store: store.erasures(ID),
        "finish_erasure": lambda store: store.finish_erasure(ERASURE, (), EVENT),
        "rows": lambda store: [*store.rows(ID, keys.EVENT, None)],
        "save_erasure": lambda store: store.save_erasure(ERASURE, (), ["key"]),
    },
    EventStore: {"events": lambda store: store.events(ID, **LIST)},
    ClockStore: {
        "find": lambda store: store.find("q1"),
        "clock": lambda store: store.clock("q1"),
        "clocks": lambda store: store.clocks(limit=1, after=None),
        "save": lambda store: store.save(CLOCK, SHARED),
        "due_items": lambda store: [*store.due_items("q1.shop")],
        "is_there": lambda store: store.is_there("q1.shop"),
        "is_being_purged": lambda store: store.is_being_purged("q1.shop"),
    },
    ExchangeRateStore: {
        "all_rates": lambda store: store.all_rates(**LIST),
        "replace_rates": lambda store: store.replace_rates(RATES, SHARED),
        "waiting": lambda store: store.waiting(**LIST),
    },
    ExemptionStore: {
        "exempt": lambda store: store.exempt(ID),
        "exempt_accounts": lambda store: store.exempt_accounts(**LIST),
        "tell": lambda store: store.tell(ACCOUNT, NO_EXEMPTIONS, EVENT),
    },
    BankStatementStore: {
        "statement": lambda store: store.statement("statement"),
        "find_statement": lambda store: store.find_statement("statement"),
        "statements": lambda store: store.statements(**LIST),
        "save_statement": lambda store: store.save_statement(imported(STATEMENT, ["entry"], NOON, None), SHARED),
        "entry": lambda store: store.entry("entry"),
        "entries": lambda store: store.entries(["entry"]),
        "listed_entries": lambda store: store.listed_entries(EntryStatus.DOUBTFUL, **LIST),
        "add_entries": lambda store: store.add_entries([ENTRY, replace(ENTRY, id="other")]),
        "save_entry": lambda store: store.save_entry(ENTRY, SHARED),
        "remember_payer": lambda store: store.remember_payer("payer", [ID], NOON),
        "forget_payer": lambda store: store.forget_payer("payer", [ID, "other"]),
        "accounts_of_payer": lambda store: store.accounts_of_payer("payer"),
        "is_recorded_otherwise": lambda store: store.is_recorded_otherwise(
            ID, BankTransfer("4711", Money(1, "EUR"), TODAY, (("LV-2026-000001", 1),))
        ),
        "locate": lambda store: store.locate(["LV-2026-000001"]),
        "payable": lambda store: store.payable([Located("LV-2026-000001", ID, TODAY)]),
    },
    InvoiceStore: {
        "await_rate": lambda store: store.await_rate(CONTEXT, AWAITED, EVENT, is_due=True),
        "is_told": lambda store: store.is_told(AWAITED_TAX, ID),
        "advance": lambda store: store.advance(CONTEXT, FIXED, [EVENT]),
        "begin_currency": lambda store: store.begin_currency(CONTEXT, SUBSCRIBER, KRONER, EVENT),
        "lapse_currency": lambda store: store.lapse_currency(CONTEXT, KRONER, EVENT),
        "hold": lambda store: store.hold(CONTEXT, HOLD, EVENT),
        "held": lambda store: store.held(**LIST),
        "invoices_since": lambda store: store.invoices_since(ID, TODAY),
        "ask_for_check": lambda store: store.ask_for_check(CONTEXT, VatNumberDue(NOON)),
        "billing_context": lambda store: store.billing_context(ID),
        "begin_credit_refund": lambda store: store.begin_credit_refund(CONTEXT, CHANGES[0]),
        "billing_context_with": lambda store: store.billing_context_with(ID, "LV-2026-000001"),
        "correct": lambda store: store.correct(CONTEXT, CHANGES, WHOLE, NextNumber("CN", TODAY, 1), [EVENT]),
        "reissue": lambda store: store.reissue(
            CONTEXT,
            CHANGES,
            (WHOLE, NextNumber("CN", TODAY, 1)),
            (WHOLE, NextNumber("LV", TODAY, 2)),
            None,
            None,
            [EVENT],
        ),
        "closed_periods": lambda store: [*store.closed_periods(ID)],
        "document": lambda store: store.document(ASKED),
        "document_of": lambda store: store.document_of(ID, "LV-2026-000001"),
        "summaries": lambda store: store.summaries(ID),
        "is_of_deleted": lambda store: store.is_of_deleted(ID, "LV-2026-000001", "pi_1"),
        "is_registered": lambda store: store.is_registered("LV-2026-000001"),
        "invoice": lambda store: store.invoice(ID, "LV-2026-000001"),
        "invoices": lambda store: store.invoices(ID, year=None, status=None, **LIST),
        "whole_invoices": lambda store: store.whole_invoices(ID, year=None, status=None, **LIST),
        "close_one_offs": lambda store: store.close_one_offs(CONTEXT, CLOSED, [EVENT]),
        "issue_one_offs": lambda store: store.issue_one_offs(
            CONTEXT, WHOLE, NextNumber("LV", TODAY, 2), CLOSED, 0, [EVENT]
        ),
        "issue": lambda store: store.issue(CONTEXT, WHOLE, NextNumber("LV", TODAY, 2), FIXED, 1, EVENT),
        "record": lambda store: store.record(ID, "LV-2026-000001"),
        "replace_collection_due": lambda store: store.replace_collection_due(CONTEXT, None),
        "save_payment": lambda store: store.save_payment(ACCOUNT, RECORD, RECORD.payment),
        "counter": lambda store: store.counter("LV", 2026),
        "of_month": lambda store: store.of_month(TODAY, credit_notes=False, **LIST),
        "of_payment": lambda store: store.of_payment(ID, "pi_1", "LV-2026-000001"),
        "documents": lambda store: store.documents(ID),
        "registered": lambda store: [*store.registered("LV", 2026)],
        "register": lambda store: store.register("LV", 2026, **LIST),
        "past_due": lambda store: store.past_due(**LIST),
        "schedule": lambda store: store.schedule(CONTEXT, BILLING),
        "settle": lambda store: store.settle(CONTEXT, CHANGES, [EVENT]),
        "unpaid": lambda store: store.unpaid(ID),
        "readable_unpaid": lambda store: store.readable_unpaid(ID),
        "whole": lambda store: store.whole(ASKED),
    },
    OneOffStore: {
        "add_one_off": lambda store: store.add_one_off(CONTEXT, ONE_OFF, EVENT),
        "closed_one_off": lambda store: store.closed_one_off(ID, "training"),
        "closed_one_offs": lambda store: store.closed_one_offs(ID, **LIST),
        "open_charges": lambda store: store.open_charges(ID),
    },
    ListIndexStore: {"index_account": lambda store: store.index_account(ID)},
    ReconciliationStore: {
        "books": lambda store: store.books(ID, TODAY),
        "findings": lambda store: store.findings(None, **LIST),
        "register_due": lambda store: store.register_due(),
        "register_findings": lambda store: store.register_findings(),
        "save_comparison": lambda store: store.save_comparison(BOOKS, TODAY, (FINDING,), (FINDING,), EVENT),
        "save_register_comparison": lambda store: store.save_register_comparison(TODAY, TODAY, (), (), SHARED),
        "stored_counter": lambda store: store.stored_counter("LV", 2026),
    },
    LogInStore: {
        "belongs_elsewhere": lambda store: store.belongs_elsewhere(ADMIN.id, ID),
        "claim_log_in": lambda store: store.claim_log_in(LEAVING),
        "forget_log_in": lambda store: store.forget_log_in(LEAVING),
        "leaving": lambda store: store.leaving(ADMIN.id),
        "leaving_of": lambda store: store.leaving_of([ADMIN.id]),
        "let_leave": lambda store: store.let_leave(ADMIN.id, NOON),
    },
    PaymentStore: {
        "change_merchant": lambda store: store.change_merchant(MERCHANT),
        "merchant": lambda store: store.merchant(),
        "require_merchant": lambda store: store.require_merchant(MERCHANT),
        "save_customer": lambda store: store.save_customer(ID, PaymentProfile()),
        "save_term": lambda store: store.save_term(ID, PaymentProfile(), EVENT),
        "payer": lambda store: store.payer(ID),
        "replace_method": lambda store: store.replace_method(ID, PaymentProfile(), WARNING, EVENT),
        "warn": lambda store: store.warn(PAYER, None, EVENT),
    },
    PurgeStore: {
        "archived": lambda store: store.archived(PURGE, StoredInvoice("key", "LV-2026-000001", TODAY, "{}")),
        "begin": lambda store: store.begin(ACCOUNT, PURGE),
        "credits": lambda store: store.credits(ID, "EUR"),
        "keep": lambda store: store.keep(PURGE, [CLAIM]),
        "delete_some": lambda store: store.delete_some(PURGE),
        "due": lambda store: store.due(ID),
        "empty": lambda store: store.empty(PURGE, NOON),
        "finish": lambda store: store.finish(PURGE, RECEIPT, [EVENT]),
        "invoices": lambda store: [*store.invoices(PURGE)],
        "count_customers": lambda store: store.count_customers(PURGE, ["cus_1"], []),
        "count_documents": lambda store: store.count_documents(PURGE, ["key version"]),
        "lives": lambda store: store.lives(ID),
        "provisioned_at": lambda store: store.provisioned_at(ID),
        "people": lambda store: store.people(ID),
        "purge": lambda store: store.purge(ID),
        "receipt": lambda store: store.receipt("receipt"),
        "receipts": lambda store: store.receipts(**LIST),
        "under_way": lambda store: [*store.under_way()],
    },
    RateReads: {
        "rates": lambda store: store.rates(TODAY),
    },
    ReactivationStore: {
        "complete": lambda store: store.complete(
            CONTEXT, REACTIVATION, WHOLE, NextNumber("LV", TODAY, 1), FIXED, 0, [EVENT]
        ),
        "fail": lambda store: store.fail(ACCOUNT, REACTIVATION, EVENT),
        "save": lambda store: store.save(REACTIVATION),
        "reactivation": lambda store: store.reactivation(ID),
        "request": lambda store: store.request(CONTEXT, REACTIVATION, EVENT),
    },
    ReviewStore: {
        "book_review": lambda store: store.book_review(ACCOUNT, REVIEW, EVENT),
        "cancel_review": lambda store: store.cancel_review(ACCOUNT, REVIEW, EVENT),
        "decide_review": lambda store: store.decide_review(ACCOUNT, REVIEW, SUBSCRIBER, EVENT, frees_time=True),
        "open_review": lambda store: store.open_review(ID),
        "review": lambda store: store.review(ID, REVIEW.id),
        "reviews": lambda store: store.reviews(ID, **LIST),
        "reviews_of": lambda store: store.reviews_of("sofie-lindgren", **LIST),
    },
    SubscriptionStore: {
        "announce_version": lambda store: store.announce_version(SUBSCRIBER, SUBSCRIBER.subscription, EVENT),
        "catalogue": lambda store: store.catalogue(1),
        "subscriber": lambda store: store.subscriber(ID),
    },
    SuccessManagerStore: {
        "assign_success_manager": lambda store: store.assign_success_manager(ACCOUNT, EVENT),
        "booked": lambda store: store.booked(SOFIE.id, NOON, NOON, ID),
        "replace_success_manager": lambda store: store.replace_success_manager(SOFIE, 1, SHARED),
        "success_manager": lambda store: store.success_manager(SOFIE.id),
        "success_managers": lambda store: store.success_managers(**LIST),
    },
    TransferStore: {
        "newest_invoice": lambda store: store.newest_invoice(ID, "EUR"),
        "same_transfers": lambda store: store.same_transfers(ID, BankTransfer("4711", Money(1, "EUR"), TODAY)),
        "save_transfer": lambda store: store.save_transfer(CONTEXT, TRANSFER, CHANGES, [EVENT]),
        "transfer": lambda store: store.transfer(ID, TRANSFER.id),
        "transfers": lambda store: store.transfers(ID, **LIST),
    },
    TaxRateStore: {
        "awaiting_tax": lambda store: store.awaiting_tax(**LIST),
        "replace_tax_rates": lambda store: store.replace_tax_rates(TaxRates(), SHARED),
        "tax_rates": lambda store: store.tax_rates(),
    },
    UsageReads: {"totals": lambda store: store.totals(ID, TODAY, TODAY)},
    UsageStore: {
        "add_rejected": lambda store: store.add_rejected(TODAY, {"unknown": 2}),
        "contents": lambda store: store.contents(ID, "search", TODAY, TODAY, limit=1),
        "count": lambda store: store.count([USED], lambda _: None),
        "correct": lambda store: store.correct(UNCORRECTED, CORRECTED, ALERT, EVENT),
        "correction_state": lambda store: store.correction_state(CORRECTION),
        "corrections": lambda store: [*store.corrections(ID, TODAY, TODAY + timedelta(days=1))],
        "month_usage": lambda store: store.month_usage(ID, "search", TODAY),
        "not_recorded": lambda store: store.not_recorded({ID: "subject"}),
        "rejected_before": lambda store: store.rejected_before(TODAY),
        "replace_rejected": lambda store: store.replace_rejected(RejectedDay(TODAY, {"unknown": 2}, 1), SHARED),
        "save_alert_state": lambda store: store.save_alert_state(ID, "search", None, AlertState(1, TODAY, 80), EVENT),
        "subscribers": lambda store: store.subscribers([ID]),
        "totals_with_corrections": lambda store: store.totals_with_corrections(ID, TODAY, TODAY),
        "watching": lambda store: store.watching(ID, "search"),
    },
    VatNumberStore: {
        "decide": lambda store: store.decide(VAT_STATE, CHECK, EVENT),
        "evidence": lambda store: store.evidence(ID, "LV-2026-000001"),
        "outage": lambda store: store.outage("DE", "nordlys"),
        "postpone": lambda store: store.postpone(VAT_STATE, VatNumberDue(NOON), OUTAGE, EVENT),
        "save_answer": lambda store: store.save_answer(VAT_STATE, CHECK, VatNumberDue(NOON), OUTAGE, EVENT),
        "state": lambda store: store.state(ID),
        "stop": lambda store: store.stop(VAT_STATE),
        "unconfirmed": lambda store: store.unconfirmed(**LIST),
    },
}

SINGLE_WRITES = {"clear_undeliverable", "note_log_in", "record_delivery", "release_delivery"}
"""Verbs without a transaction: DynamoDB never answers them with TransactionCanceledException."""

CANCELLED = "TransactionCanceledException"

THROTTLES = [
    ("ThrottlingException", []),
    ("ThrottlingError", []),
    ("ProvisionedThroughputExceededException", []),
    ("ProvisionedThroughputExceeded", []),
    ("RequestLimitExceeded", []),
    (CANCELLED, ["None", "ThrottlingError"]),
    (CANCELLED, ["ProvisionedThroughputExceeded", "None"]),
    (CANCELLED, ["None", "RequestLimitExceeded"]),
    (CANCELLED, ["TransactionConflict", "ThrottlingError"]),
]
COLLISIONS = [
    ("TransactionConflictException", []),
    ("TransactionInProgressException", []),
    (CANCELLED, ["None", "TransactionConflict"]),
]
OTHERS = [("AccessDeniedException", []), ("ValidationException", []), (CANCELLED, ["ValidationError", "None"])]


class Refusing:
    """A client of DynamoDB that refuses every call."""

    def __init__(self, code: str, reasons: list[str]) -> None:
        response: Any = {"Error": {"Code": code, "Message": ""}, "ResponseMetadata": {}}
        if reasons:
            response["CancellationReasons"] = [{"Code": reason} for reason in reasons]
        self._failure: Exception = ClientError(response, "Any")

    def __getattr__(self, operation: str) -> Callable[..., object]:
        def refuse(*_: object, **__: object) -> object:
            raise self._failure

        return refuse


def _stores() -> Iterator[type[Table]]:
    """All classes of the package that extend Table."""
    package = Path(billing.__path__[0])
    for path in sorted({*package.rglob("*records.py"), *package.rglob("totals.py"), *package.rglob("table.py")}):
        module = import_module(".".join(("billing", *path.relative_to(package).with_suffix("").parts)))
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if issubclass(kind, Table) and kind.__module__ == module.__name__:
                yield kind


def test_the_list_has_every_verb_of_every_store() -> None:
    defined = {
        kind: {name for name, value in vars(kind).items() if inspect.isfunction(value) and not name.startswith("_")}
        for kind in _stores()
    }

    assert {kind: {*verbs} for kind, verbs in VERBS.items()} == defined


@pytest.mark.parametrize(
    ("kind", "verb"),
    [pytest.param(kind, verb, id=f"{kind.__name__}.{verb}") for kind, verbs in VERBS.items() for verb in verbs],
)
def test_a_throttle_is_busy_and_a_collision_is_a_concurrent_change(kind: type[Table], verb: str) -> None:
    def possible(refusals: list[tuple[str, list[str]]]) -> list[tuple[str, list[str]]]:
        return [each for each in refusals if each[0] != CANCELLED or verb not in SINGLE_WRITES]

    call = VERBS[kind][verb]
    for code, reasons in possible(THROTTLES):
        with pytest.raises(Busy):
            call(kind(TABLE, Refusing(code, reasons)))
    for code, reasons in possible(COLLISIONS):
        with pytest.raises(ConcurrentChange) as collision:
            call(kind(TABLE, Refusing(code, reasons)))
        assert type(collision.value) is ConcurrentChange
    for code, reasons in possible(OTHERS):
        with pytest.raises(ClientError) as other:
            call(kind(TABLE, Refusing(code, reasons)))
        assert other.value.response["Error"]["Code"] == code


@pytest.mark.parametrize(
    ("kind", "verb"),
    [pytest.param(kind, verb, id=f"{kind.__name__}.{verb}") for kind, verbs in VERBS.items() for verb in verbs],
)
def test_a_time_out_is_raised_as_it_is(kind: type[Table], verb: str) -> None:
    """The operator's commands, and the log lines of workers, name it."""
    client = Refusing("Any", [])
    client._failure = ReadTimeoutError(endpoint_url="https://dynamodb.example")

    with pytest.raises(ReadTimeoutError):
        VERBS[kind][verb](kind(TABLE, client))


def test_a_failed_condition_has_priority_over_a_throttle() -> None:
    """A retry would fail again."""
    refused = ["ConditionalCheckFailed", "ThrottlingError"]

    assert AccountStore(TABLE, Refusing(CANCELLED, refused)).record_once(ID, "subject", EVENT) is False
    with pytest.raises(ConcurrentChange) as failed:
        AccountStore(TABLE, Refusing(CANCELLED, refused)).save_user(_account(), MEMBER, EVENT)
    assert type(failed.value) is ConcurrentChange


def _account() -> Account:
    return replace(ACCOUNT, version=7)
