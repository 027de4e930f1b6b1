"""The kinds of events. An event that Livello publishes, shows or mails about has one of these shapes.

Each area has a module of its own here. Quantities are decimals written as texts, amounts are whole minor units with
their currency, days are those of the account's time zone.
"""

from __future__ import annotations

from typing import get_args

from billing.domain.events import Event
from billing.domain.fields import fields_of
from billing.event_schemas.accounts import (
    AccountProvisioned,
    BillingInformationChanged,
    UserAdded,
    UserChanged,
    UserRemoved,
)
from billing.event_schemas.correspondence import AddressUndeliverable
from billing.event_schemas.ending import (
    AccountDeactivated,
    AccountDeleted,
    AccountDeletionNear,
    AccountReactivated,
    AccountReactivationFailed,
    AccountReactivationRequested,
    CancellationRequested,
    CancellationWithdrawn,
    DownloadReady,
    DownloadRequested,
    NoticeDeadlineNear,
)
from billing.event_schemas.invoicing import (
    CreditNoteIssued,
    CreditNoteRefunded,
    InvoiceIssued,
    InvoicePaid,
    PaymentFailed,
    PaymentPastDue,
)
from billing.event_schemas.payments import CardExpiring, CardUpdated, PaymentDisputed, PaymentMethodChanged
from billing.event_schemas.scaling import (
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
from billing.event_schemas.subscriptions import CatalogueReplaced
from billing.event_schemas.usage import UsageRefused, UsageThresholdReached

AnyEvent = (
    AccountDeactivated
    | AccountDeleted
    | AccountDeletionNear
    | AccountProvisioned
    | AccountReactivated
    | AccountReactivationFailed
    | AccountReactivationRequested
    | AddressUndeliverable
    | AutoscalingChanged
    | BillingInformationChanged
    | CancellationRequested
    | CancellationWithdrawn
    | CardExpiring
    | CardUpdated
    | CatalogueReplaced
    | CreditNoteIssued
    | CreditNoteRefunded
    | DownloadReady
    | DownloadRequested
    | InvoiceIssued
    | InvoicePaid
    | NoticeDeadlineNear
    | PaymentDisputed
    | PaymentFailed
    | PaymentMethodChanged
    | PaymentPastDue
    | ReviewBooked
    | ReviewCancelled
    | ReviewDeclined
    | SubscriptionAutoscaled
    | SubscriptionTierLowered
    | SuccessManagerAssigned
    | SuccessManagerChanged
    | UsageAboveTiers
    | UsageBelowTier
    | UsageRefused
    | UsageThresholdReached
    | UserAdded
    | UserChanged
    | UserRemoved
)

SCHEMA_OF: dict[str, type[AnyEvent]] = {
    get_args(schema.model_fields["type"].annotation)[0]: schema for schema in get_args(AnyEvent)
}
"""The schemas by their type."""


def published(event: Event) -> AnyEvent:
    """The event as it is published. Raises pydantic's ValidationError if it is not what its kind says."""
    return SCHEMA_OF[event.type].model_validate(fields_of(event, id="event"), from_attributes=True)
