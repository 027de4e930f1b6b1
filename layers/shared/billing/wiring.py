"""The composition root: makes each store and client once, on first use, from the environment.

Each constructor imports the class that it builds, so a function loads only what it uses. A missing environment variable
raises KeyError on first use. The module has no `from __future__ import annotations`: the resolver would evaluate the
texts for every request.
"""

import os
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

from aws_lambda_powertools.event_handler.depends import Depends
from botocore.session import Session

from billing.platform.clock import read_clocks_from

if TYPE_CHECKING:
    from billing.accounts.appointment_records import AppointmentStore
    from billing.accounts.directory import Directory
    from billing.accounts.records import AccountStore
    from billing.accounts.term_records import TermStore
    from billing.billing_page.list_records import AccountListStore
    from billing.billing_page.records import BillingPageStore
    from billing.correspondence.mailer import Mailer
    from billing.correspondence.records import DeliveryStore
    from billing.ending.cancellation.records import CancellationStore
    from billing.ending.deletion.claim_records import ClaimStore
    from billing.ending.deletion.empty_archive import ArchiveToEmpty
    from billing.ending.deletion.records import PurgeStore
    from billing.ending.erasure.records import ErasureStore
    from billing.ending.exports.records import DownloadStore
    from billing.ending.reactivation.records import ReactivationStore
    from billing.invoicing.bank_statements.records import BankStatementStore
    from billing.invoicing.exchange_rates.records import ExchangeRateStore
    from billing.invoicing.exemptions.records import ExemptionStore
    from billing.invoicing.invoices import Seller
    from billing.invoicing.one_off_records import OneOffStore
    from billing.invoicing.reconciliation.records import ReconciliationStore
    from billing.invoicing.records import InvoiceStore
    from billing.invoicing.settings import InvoicingSettings, UnconfirmedVatNumber
    from billing.invoicing.tax_rates.records import TaxRateStore
    from billing.invoicing.tax_rates.rules import SellerAddress
    from billing.invoicing.transfer_records import TransferStore
    from billing.invoicing.vat_numbers.records import VatNumberStore
    from billing.invoicing.vat_numbers.register import VatRegister
    from billing.payments.gateway import PaymentGateway, PaymentNotices
    from billing.payments.ledger import PaymentLedger
    from billing.payments.methods import Method
    from billing.payments.records import PaymentStore
    from billing.platform.due_work.records import DueStore
    from billing.platform.events.bus import EventBus
    from billing.platform.events.records import EventStore
    from billing.platform.files.interfaces import Archive, Documents
    from billing.platform.queues.interfaces import DeadLetters, Queue, WorkQueue
    from billing.platform.test_clocks.records import ClockStore
    from billing.platform.test_clocks.sqs_queue import SqsClockQueue
    from billing.platform.test_clocks.workers import Workers
    from billing.scaling.records import AutoscalingStore
    from billing.scaling.reviews.records import ReviewStore
    from billing.scaling.reviews.success_manager_records import SuccessManagerStore
    from billing.subscriptions.catalogue_records import CatalogueStore
    from billing.subscriptions.records import SubscriptionStore
    from billing.usage.backlog import UsageBacklog
    from billing.usage.records import UsageStore
else:  # the commands of a function import the stores and interfaces that they name
    Archive = ArchiveToEmpty = DeadLetters = Directory = Documents = EventBus = Mailer = PaymentGateway = (
        PaymentNotices
    ) = Any
    Queue = UsageBacklog = WorkQueue = Any
    AccountStore = AppointmentStore = AutoscalingStore = BillingPageStore = CancellationStore = CatalogueStore = (
        ClaimStore
    ) = Any
    ClockStore = SqsClockQueue = Workers = Any
    DeliveryStore = DownloadStore = DueStore = EventStore = InvoiceStore = OneOffStore = PaymentStore = PurgeStore = Any
    ReactivationStore = ReviewStore = SuccessManagerStore = UsageStore = InvoicingSettings = SellerAddress = Any
    ExchangeRateStore = Method = Seller = UnconfirmedVatNumber = VatNumberStore = VatRegister = Any
    AccountListStore = ErasureStore = ReconciliationStore = PaymentLedger = TermStore = TransferStore = (
        SubscriptionStore
    ) = Any
    TaxRateStore = ExemptionStore = Any
    BankStatementStore = Any


PaymentSecret = Callable[[str], str]
"""Returns a value of a secret of the payment service, by name. Raises UpstreamFailed."""


@cache
def session() -> Session:
    """The one botocore session of the process. All clients share its loaded data."""
    from billing.platform.aws_session import aws_session

    return aws_session()


@cache
def dynamodb() -> Any:
    """The one DynamoDB client of the process. All stores share it."""
    return session().create_client("dynamodb")


def _store(module: str, name: str) -> Callable[[], Any]:
    """A cached constructor of a store. It imports the store's module on first use."""

    @cache
    def store() -> Any:
        kind = getattr(import_module(f"billing.{module}"), name)
        return kind(os.environ["TABLE_NAME"], dynamodb())

    return store


account_list_store: Callable[[], AccountListStore] = _store("billing_page.list_records", "AccountListStore")
account_store: Callable[[], AccountStore] = _store("accounts.records", "AccountStore")
appointment_store: Callable[[], AppointmentStore] = _store("accounts.appointment_records", "AppointmentStore")
autoscaling_store: Callable[[], AutoscalingStore] = _store("scaling.records", "AutoscalingStore")
bank_statement_store: Callable[[], BankStatementStore] = _store(
    "invoicing.bank_statements.records", "BankStatementStore"
)
billing_page_store: Callable[[], BillingPageStore] = _store("billing_page.records", "BillingPageStore")
cancellation_store: Callable[[], CancellationStore] = _store("ending.cancellation.records", "CancellationStore")
catalogue_store: Callable[[], CatalogueStore] = _store("subscriptions.catalogue_records", "CatalogueStore")
clock_store: Callable[[], ClockStore] = _store("platform.test_clocks.records", "ClockStore")
claim_store: Callable[[], ClaimStore] = _store("ending.deletion.claim_records", "ClaimStore")
delivery_store: Callable[[], DeliveryStore] = _store("correspondence.records", "DeliveryStore")
download_store: Callable[[], DownloadStore] = _store("ending.exports.records", "DownloadStore")
due_store: Callable[[], DueStore] = _store("platform.due_work.records", "DueStore")
erasure_store: Callable[[], ErasureStore] = _store("ending.erasure.records", "ErasureStore")
event_store: Callable[[], EventStore] = _store("platform.events.records", "EventStore")
exemption_store: Callable[[], ExemptionStore] = _store("invoicing.exemptions.records", "ExemptionStore")
exchange_rate_store: Callable[[], ExchangeRateStore] = _store("invoicing.exchange_rates.records", "ExchangeRateStore")
invoice_store: Callable[[], InvoiceStore] = _store("invoicing.records", "InvoiceStore")
one_off_store: Callable[[], OneOffStore] = _store("invoicing.one_off_records", "OneOffStore")
payment_store: Callable[[], PaymentStore] = _store("payments.records", "PaymentStore")
purge_store: Callable[[], PurgeStore] = _store("ending.deletion.records", "PurgeStore")
reactivation_store: Callable[[], ReactivationStore] = _store("ending.reactivation.records", "ReactivationStore")
reconciliation_store: Callable[[], ReconciliationStore] = _store(
    "invoicing.reconciliation.records", "ReconciliationStore"
)
review_store: Callable[[], ReviewStore] = _store("scaling.reviews.records", "ReviewStore")
subscription_store: Callable[[], SubscriptionStore] = _store("subscriptions.records", "SubscriptionStore")
success_manager_store: Callable[[], SuccessManagerStore] = _store(
    "scaling.reviews.success_manager_records", "SuccessManagerStore"
)
tax_rate_store: Callable[[], TaxRateStore] = _store("invoicing.tax_rates.records", "TaxRateStore")
term_store: Callable[[], TermStore] = _store("accounts.term_records", "TermStore")
transfer_store: Callable[[], TransferStore] = _store("invoicing.transfer_records", "TransferStore")
usage_store: Callable[[], UsageStore] = _store("usage.records", "UsageStore")
vat_number_store: Callable[[], VatNumberStore] = _store("invoicing.vat_numbers.records", "VatNumberStore")


# Requests and workers ask for the time of an account in one place, which knows no store.
read_clocks_from(clock_store)


@cache
def seller_address() -> SellerAddress:
    """The part of the seller's address that taxes depend on."""
    from billing.accounts.information import as_printed, normal_postcode
    from billing.invoicing.tax_rates.rules import SellerAddress

    return SellerAddress(
        country=os.environ["SELLER_COUNTRY"],
        postcode=as_printed(normal_postcode, os.environ["SELLER_POSTCODE"] or None),
        city=os.environ["SELLER_CITY"],
    )


def taxed_from() -> SellerAddress:
    """The seller's address, with the tax rates of staff where these apply. One get for a seller outside of the EU."""
    from billing.invoicing.tax_rates.rules import has_own_rates

    address = seller_address()
    # By the rules for territories that have no end.
    return replace(address, rates=tax_rate_store().tax_rates()) if has_own_rates(address, date.max) else address


@cache
def invoicing_settings() -> InvoicingSettings:
    """The deployment's settings for invoices and payments."""
    from billing.invoicing.settings import InvoicingSettings

    retry_days = tuple(sorted(int(days) for days in os.environ["RETRY_DAYS"].split(",")))
    return InvoicingSettings(
        series=os.environ["INVOICE_SERIES"],
        seller=seller(),
        term_days=int(os.environ["PAYMENT_TERM_DAYS"]),
        retry_days=retry_days,
        reminder_days=tuple(int(days) for days in os.environ["REMINDER_DAYS"].split(",")),
        credit_series=os.environ["CREDIT_NOTE_SERIES"],
        unconfirmed=unconfirmed_vat_number(),
        time_zone=os.environ["SELLER_TIME_ZONE"],
        charged=charged_methods(),
        sepa_notice_days=int(os.environ["SEPA_NOTICE_DAYS"]),
        seller_currency=os.environ["SELLER_CURRENCY"] or None,
    )


@cache
def charged_methods() -> frozenset[Method]:
    """The payment methods that this deployment charges; none where its customers pay by bank transfer only."""
    from billing.payments.methods import CHARGED_METHODS

    return CHARGED_METHODS[os.environ["CHARGED_METHODS"]]


@cache
def claim_years() -> int:
    """How many years the open claims of deleted accounts are kept (DESIGN 3.7.6)."""
    return int(os.environ["CLAIM_YEARS"])


@cache
def orphaned_log_in_days() -> int:
    """How many days a log-in stays after its user's last access (DESIGN 3.4.9)."""
    return int(os.environ["ORPHANED_LOG_IN_DAYS"])


@cache
def seller() -> Seller:
    """The company that issues the invoices."""
    from billing.accounts.information import as_printed, compact_identifier
    from billing.invoicing.invoices import Seller

    address = seller_address()
    return Seller(
        name=os.environ["SELLER_NAME"],
        address_line_1=os.environ["SELLER_ADDRESS"],
        address_line_2=None,
        postcode=address.postcode,
        city=address.city,
        country=address.country,
        vat_number=as_printed(compact_identifier, os.environ["SELLER_VAT_NUMBER"] or None),
        iban=os.environ["SELLER_IBAN"] or None,
    )


@cache
def vat_register() -> VatRegister:
    """The register of VAT numbers (VIES)."""
    from billing.invoicing.vat_numbers.vies import Vies

    return Vies(os.environ["VIES_API_BASE"] or None)


@cache
def unconfirmed_vat_number() -> UnconfirmedVatNumber | None:
    """What invoices do about an unconfirmed VAT number; None where the deployment does not ask VIES.

    Each function that decides on a tax, or shows it, has the variable.
    """
    from billing.invoicing.settings import UnconfirmedVatNumber

    value = os.environ["UNCONFIRMED_VAT_NUMBER"]
    return UnconfirmedVatNumber(value) if value else None


@cache
def checks_vat_numbers() -> bool:
    """Whether this deployment asks VIES about VAT numbers."""
    return os.environ["VAT_NUMBER_CHECK"] == "on"


@cache
def invitations_per_day() -> int:
    """How many invitations an account may send on a UTC day, and how many people it may make admins."""
    return int(os.environ["INVITATIONS_PER_DAY"])


@cache
def directory() -> Directory:
    """The directory of log-ins (Cognito)."""
    from billing.accounts.cognito_directory import CognitoDirectory

    return CognitoDirectory(os.environ["USER_POOL_ID"], session())


@cache
def bus() -> EventBus:
    """The event bus to the vendor's own systems (EventBridge)."""
    from billing.platform.events.eventbridge_bus import EventBridgeBus

    return EventBridgeBus(os.environ["EVENT_BUS_NAME"], session())


@cache
def dead_letters() -> DeadLetters:
    """The queue of messages that could not be processed (SQS)."""
    from billing.platform.queues.sqs_dead_letters import SqsDeadLetters

    return SqsDeadLetters(os.environ["DEAD_LETTERS_URL"], session())


@cache
def mailer() -> Mailer:
    """The sender of mail (SES)."""
    from billing.correspondence.ses_mailer import SesMailer

    return SesMailer(os.environ["SENDER_ADDRESS"], os.environ["CONFIGURATION_SET"], session())


@cache
def documents() -> Documents:
    """The store of documents (S3)."""
    from billing.platform.files.s3_documents import S3Documents

    return S3Documents(os.environ["DOCUMENTS_BUCKET"], session())


@cache
def archive() -> Archive | None:
    """The archive of invoices (S3); None if the deployment keeps none (DESIGN 3.7.3)."""
    bucket = os.environ["ARCHIVE_BUCKET"]
    if not bucket:
        return None
    from billing.platform.files.s3_archive import S3Archive

    return S3Archive(bucket, session())


@cache
def archive_to_empty() -> ArchiveToEmpty:
    """The same archive, for the function that deletes from it after the retention."""
    from billing.platform.files.s3_archive import S3Archive

    return S3Archive(os.environ["ARCHIVE_BUCKET"], session())


@cache
def queue() -> Queue:
    """The queue that this worker receives messages from (SQS)."""
    from billing.platform.queues.sqs_queue import SqsQueue

    return SqsQueue(os.environ["QUEUE_URL"], session())


@cache
def usage_backlog() -> UsageBacklog:
    """The queue of usage events whose counters were busy (SQS)."""
    from billing.usage.sqs_backlog import SqsUsageBacklog

    return SqsUsageBacklog(os.environ["USAGE_BACKLOG_URL"], session())


@cache
def work_queue() -> WorkQueue:
    """The queue that this planner sends due work to (SQS)."""
    from billing.platform.queues.sqs_work_queue import SqsWorkQueue

    return SqsWorkQueue(os.environ["WORK_QUEUE_URL"], session())


@cache
def clock_queue() -> SqsClockQueue:
    """The queue of test clocks that go on (SQS)."""
    from billing.platform.test_clocks.sqs_queue import SqsClockQueue

    return SqsClockQueue(os.environ["QUEUE_URL"], session())


@cache
def workers() -> Workers:
    """The workers of the jobs that a test clock runs (Lambda)."""
    from billing.kernel.schedules import Job
    from billing.platform.test_clocks.workers import LambdaWorkers

    functions = {
        Job.AUTOSCALING: os.environ["AUTOSCALING_WORKER"],
        Job.CARD_EXPIRY: os.environ["CARD_EXPIRY_WORKER"],
        Job.COLLECTION: os.environ["COLLECTION_WORKER"],
        Job.ENDING: os.environ["ENDING_WORKER"],
        Job.RENEWAL: os.environ["RENEWAL_WORKER"],
        Job.VAT_NUMBER: os.environ["VAT_NUMBER_WORKER"],
    }
    return LambdaWorkers(functions, session())


@cache
def payment_secret() -> PaymentSecret:
    """The API key of the payment service (Secrets Manager).

    Earlier releases had one secret for everything: until an operator has split it, the key is in the webhook's.
    """
    from billing.platform.secrets_manager import Secret

    former = Secret(os.environ["STRIPE_WEBHOOK_SECRET"], session())
    return Secret(os.environ["STRIPE_SECRET"], session(), former).value


@cache
def webhook_secret() -> PaymentSecret:
    """The secret with which the payment service signs its notices (Secrets Manager)."""
    from billing.platform.secrets_manager import Secret

    return Secret(os.environ["STRIPE_WEBHOOK_SECRET"], session()).value


@cache
def payments() -> PaymentGateway:
    """The payment service (Stripe)."""
    from billing.payments.stripe_gateway import StripePayments

    address = os.environ.get("STRIPE_API_BASE") or None
    return StripePayments(payment_secret(), address, payment_store().require_merchant)


@cache
def payment_ledger() -> PaymentLedger:
    """The payments of customers as the payment service has them (Stripe)."""
    from billing.payments.stripe_gateway import StripePayments

    address = os.environ.get("STRIPE_API_BASE") or None
    return StripePayments(payment_secret(), address, payment_store().require_merchant)


@cache
def payment_notices() -> PaymentNotices:
    """The queue of notices from the payment service (SQS)."""
    from billing.payments.sqs_notices import SqsPaymentNotices

    return SqsPaymentNotices(os.environ["PAYMENT_NOTICES_URL"], session())


def forget() -> None:
    """Clears the caches: the next call makes a new object from the environment of that moment. For tests."""
    for constructor in [*globals().values()]:
        if hasattr(constructor, "cache_clear"):
            constructor.cache_clear()


Accounts = Annotated[AccountStore, Depends(account_store)]
Appointments = Annotated[AppointmentStore, Depends(appointment_store)]
BankStatements = Annotated[BankStatementStore, Depends(bank_statement_store)]
Pages = Annotated[BillingPageStore, Depends(billing_page_store)]
Catalogues = Annotated[CatalogueStore, Depends(catalogue_store)]
Erasures = Annotated[ErasureStore, Depends(erasure_store)]
Events = Annotated[EventStore, Depends(event_store)]
Reviews = Annotated[ReviewStore, Depends(review_store)]
SuccessManagers = Annotated[SuccessManagerStore, Depends(success_manager_store)]
TestClocks = Annotated[ClockStore, Depends(clock_store)]
Usage = Annotated[UsageStore, Depends(usage_store)]
Autoscaling = Annotated[AutoscalingStore, Depends(autoscaling_store)]
Backlog = Annotated[UsageBacklog, Depends(usage_backlog)]
OrphanedLogInDays = Annotated[int, Depends(orphaned_log_in_days)]
People = Annotated[Directory, Depends(directory)]
PaymentMethods = Annotated[PaymentStore, Depends(payment_store)]
Payments = Annotated[PaymentGateway, Depends(payments)]
ChargedMethods = Annotated[frozenset[Method], Depends(charged_methods)]
Invoices = Annotated[InvoiceStore, Depends(invoice_store)]
OneOffs = Annotated[OneOffStore, Depends(one_off_store)]
Transfers = Annotated[TransferStore, Depends(transfer_store)]
TaxedFrom = Annotated[SellerAddress, Depends(taxed_from)]
SellerPlace = Annotated[SellerAddress, Depends(seller_address)]
TaxRateTable = Annotated[TaxRateStore, Depends(tax_rate_store)]
VatNumberPolicy = Annotated[UnconfirmedVatNumber | None, Depends(unconfirmed_vat_number)]
DeployedSettings = Annotated[InvoicingSettings, Depends(invoicing_settings)]
Downloads = Annotated[DownloadStore, Depends(download_store)]
Files = Annotated[Documents, Depends(documents)]
Cancellations = Annotated[CancellationStore, Depends(cancellation_store)]
Claims = Annotated[ClaimStore, Depends(claim_store)]
Purges = Annotated[PurgeStore, Depends(purge_store)]
Exemptions = Annotated[ExemptionStore, Depends(exemption_store)]
ExchangeRates = Annotated[ExchangeRateStore, Depends(exchange_rate_store)]
VatNumbers = Annotated[VatNumberStore, Depends(vat_number_store)]
Reactivations = Annotated[ReactivationStore, Depends(reactivation_store)]
Reconciliations = Annotated[ReconciliationStore, Depends(reconciliation_store)]
