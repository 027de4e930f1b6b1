"""All event schemas. Every event that Livello publishes, shows or mails has one of these shapes.

Each area defines its schemas in its own `event_schemas` module. Quantities are decimals written as strings, amounts
are whole minor units with their currency, and days are local to the account's time zone.
"""

from __future__ import annotations

from typing import get_args

from billing.accounts.event_schemas import (
    AccountProvisioned,
    AdminAppointmentAnnounced,
    AdminAppointmentEffective,
    AdminAppointmentEnded,
    BillingInformationChanged,
    ProvisioningCorrected,
    StoreChanged,
    UserAdded,
    UserChanged,
    UserInvitedAgain,
    UserRemoved,
)
from billing.correspondence.event_schemas import AddressUndeliverable
from billing.ending.event_schemas import (
    AccountDeactivated,
    AccountDeleted,
    AccountDeletionNear,
    AccountMoneyOpen,
    AccountReactivated,
    AccountReactivationFailed,
    AccountReactivationRequested,
    CancellationRequested,
    CancellationWithdrawn,
    DownloadReady,
    DownloadRequested,
    NoticeDeadlineNear,
    OpenClaimChanged,
    OpenClaimSettled,
    UserErased,
    UserErasureRequested,
)
from billing.invoicing.bank_statements.event_schemas import BankEntryDecided, BankStatementImported
from billing.invoicing.event_schemas import (
    CreditNoteIssued,
    CreditNoteRefunded,
    CreditRefunded,
    CreditRefundFailed,
    InvoiceIssued,
    InvoicePaid,
    InvoiceReminded,
    InvoiceRemindersChanged,
    InvoiceWrittenOff,
    InvoicingHeld,
    InvoicingReleased,
    OneOffChanged,
    PaymentFailed,
    PaymentPastDue,
    PaymentRefundedOutside,
    PaymentRepaid,
    PaymentUnexpected,
    PeriodFree,
    TransferRecorded,
    TransferTakenBack,
)
from billing.invoicing.exchange_rates.event_schemas import ExchangeRateMissing, ExchangeRatesReplaced
from billing.invoicing.exemptions.event_schemas import TaxExemptionEnding, TaxExemptionsChanged
from billing.invoicing.reconciliation.event_schemas import ReconciliationDiffered
from billing.invoicing.tax_rates.event_schemas import TaxRateMissing, TaxRatesReplaced
from billing.invoicing.vat_numbers.event_schemas import (
    VatNumberConfirmed,
    VatNumberDecided,
    VatNumberNotConfirmed,
    VatNumberUnanswered,
)
from billing.kernel.events import Event
from billing.payments.event_schemas import (
    CardExpiring,
    CardUpdated,
    PaymentDisputed,
    PaymentMethodChanged,
    PaymentTermChanged,
)
from billing.platform.events.mapping import event_fields
from billing.platform.test_clocks.event_schemas import (
    TestClockAdvancing,
    TestClockCreated,
    TestClockDeleted,
    TestClockDeleting,
    TestClockFailed,
    TestClockReady,
)
from billing.scaling.event_schemas import (
    AutoscalingChanged,
    ReviewBooked,
    ReviewCancelled,
    ReviewDeclined,
    SubscriptionAutoscaled,
    SubscriptionTierLowered,
    SuccessManagerAssigned,
    SuccessManagerChanged,
    UsageAboveTiers,
    UsageBelowTier,
)
from billing.subscriptions.event_schemas import (
    CatalogueReplaced,
    CatalogueVersionAnnounced,
    CatalogueVersionPostponed,
    CatalogueVersionWithdrawn,
    ContractCurrencyChanged,
    ContractTermAgreed,
    ContractTermEnded,
    ContractTermProposed,
    DiscountsChanged,
    SubscriptionChanged,
)
from billing.usage.event_schemas import UsageCorrected, UsageRefused, UsageRejected, UsageThresholdReached

AnyEvent = (
    AccountDeactivated
    | AccountDeleted
    | AccountDeletionNear
    | AccountMoneyOpen
    | AccountProvisioned
    | AccountReactivated
    | AccountReactivationFailed
    | AccountReactivationRequested
    | AddressUndeliverable
    | AdminAppointmentAnnounced
    | AdminAppointmentEffective
    | AdminAppointmentEnded
    | AutoscalingChanged
    | BankEntryDecided
    | BankStatementImported
    | BillingInformationChanged
    | CancellationRequested
    | CancellationWithdrawn
    | CardExpiring
    | CardUpdated
    | CatalogueReplaced
    | CatalogueVersionAnnounced
    | CatalogueVersionPostponed
    | CatalogueVersionWithdrawn
    | ContractCurrencyChanged
    | ContractTermAgreed
    | ContractTermEnded
    | ContractTermProposed
    | CreditNoteIssued
    | CreditNoteRefunded
    | CreditRefunded
    | CreditRefundFailed
    | DiscountsChanged
    | DownloadReady
    | DownloadRequested
    | ExchangeRateMissing
    | ExchangeRatesReplaced
    | InvoiceIssued
    | InvoicePaid
    | InvoiceReminded
    | InvoiceRemindersChanged
    | InvoicingHeld
    | InvoicingReleased
    | InvoiceWrittenOff
    | NoticeDeadlineNear
    | OneOffChanged
    | OpenClaimChanged
    | OpenClaimSettled
    | PaymentDisputed
    | PaymentFailed
    | PaymentMethodChanged
    | PaymentTermChanged
    | PaymentPastDue
    | PaymentRefundedOutside
    | PaymentUnexpected
    | PeriodFree
    | PaymentRepaid
    | ProvisioningCorrected
    | ReconciliationDiffered
    | ReviewBooked
    | ReviewCancelled
    | ReviewDeclined
    | StoreChanged
    | SubscriptionAutoscaled
    | SubscriptionChanged
    | SubscriptionTierLowered
    | SuccessManagerAssigned
    | SuccessManagerChanged
    | TaxExemptionEnding
    | TaxExemptionsChanged
    | TaxRateMissing
    | TaxRatesReplaced
    | TestClockAdvancing
    | TestClockCreated
    | TestClockDeleted
    | TestClockDeleting
    | TestClockFailed
    | TestClockReady
    | TransferRecorded
    | TransferTakenBack
    | UsageAboveTiers
    | UsageBelowTier
    | UsageCorrected
    | UsageRefused
    | UsageRejected
    | UsageThresholdReached
    | UserAdded
    | UserChanged
    | UserErased
    | UserErasureRequested
    | UserInvitedAgain
    | UserRemoved
    | VatNumberConfirmed
    | VatNumberDecided
    | VatNumberNotConfirmed
    | VatNumberUnanswered
)

SCHEMA_OF: dict[str, type[AnyEvent]] = {
    get_args(schema.model_fields["type"].annotation)[0]: schema for schema in get_args(AnyEvent)
}
"""The schema classes by event type."""


def published(event: Event) -> AnyEvent:
    """The event in its published shape. Raises pydantic's ValidationError if it does not fit its schema."""
    return SCHEMA_OF[event.type].model_validate(event_fields(event), from_attributes=True)
