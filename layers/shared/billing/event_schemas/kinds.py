"""The kinds of events. An event that Livello publishes, shows or mails about has one of these shapes.

Quantities are decimals written as texts, amounts are whole minor units with their currency, days are those of the
account's time zone.
"""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Annotated, Literal, get_args

from pydantic import Field

from billing.domain.events import Event
from billing.event_schemas.happening import Facts, Happening, Identifier

Month = Annotated[str, Field(pattern="^[0-9]{4}-(0[1-9]|1[0-2])$")]
"""A calendar month, such as 2026-11."""

WebAddress = Annotated[str, Field(pattern='^https?://[^\\s<>"]+$')]
"""Where a link may lead."""


# ---- What events are made of ------------------------------------------------------------------------


class MoneyFacts(Facts):
    """`amount` minor units of `currency` (ISO 4217)."""

    amount: int
    currency: str


class PersonFacts(Facts):
    name: str
    email: str


class UserFacts(Facts):
    user: str
    email: str
    name: str
    role: Literal["admin", "member"]


class ContractFacts(Facts):
    start: date
    interval_months: int
    currency: str
    time_zone: str


class LineFacts(Facts):
    """A product as it was signed. `up_to` is the tier's monthly volume, None where it is open-ended; `price` is per
    month, before discounts and tax."""

    product: str
    name: str
    unit: str
    up_to: int | None
    price: MoneyFacts


class AccountFacts(Facts):
    name: str
    contract: ContractFacts
    lines: list[LineFacts]
    first_admin: UserFacts


class InformationFacts(Facts):
    """An area of billing information; `details` are its fields."""

    area: Literal["company", "billing", "contact"]
    details: dict[str, str | None]


class CatalogueFacts(Facts):
    version: int


class CardFacts(Facts):
    """What may be shown of a card."""

    brand: str
    last_four: Annotated[str, Field(pattern="^[0-9]{4}$")]
    expiry_month: Annotated[int, Field(ge=1, le=12)]
    expiry_year: int


class NewCardFacts(CardFacts):
    """`detach` names the payment methods that must still be given up at the payment service."""

    detach: list[str]


class DebitFacts(Facts):
    """What may be shown of a bank account that is debited."""

    country: str
    last_four: str


class PaymentMethodFacts(Facts):
    """`card` is there exactly if it is one, `debit` for SEPA debits."""

    method: Literal["card", "sepa_debit", "bank_transfer"]
    card: CardFacts | None
    debit: DebitFacts | None


class NewPaymentMethodFacts(Facts):
    """`method` is None where there is none any more. `detach` names the payment methods that must still be given up
    at the payment service."""

    method: PaymentMethodFacts | None
    detach: list[str]


class DisputeFacts(Facts):
    """A payment that the customer's bank takes back for now. `invoice` is None if it was for none."""

    invoice: str | None
    amount: MoneyFacts
    reason: str


class ChargeFacts(Facts):
    """A charge to come, before tax."""

    on: date
    amount: MoneyFacts


class ExpiringCardFacts(Facts):
    """`last_day` is the last one on which the card can be charged; `next_charge` is None if none is to come."""

    card: CardFacts
    last_day: date
    days_left: Literal[30, 7]
    next_charge: ChargeFacts | None


class ProductFacts(Facts):
    """A product by its id, its name, and what its usage is counted in."""

    product: str
    name: str
    unit: str


class TierFacts(Facts):
    """`up_to` is the monthly volume, None where it is open-ended; `price` is per month, before tax."""

    up_to: int | None
    price: MoneyFacts


class MonthFacts(Facts):
    month: Month
    usage: Decimal


class TypicalMonthFacts(MonthFacts):
    """`typical` is the usage without what was left out: what the tier is chosen by."""

    typical: Decimal


class LeftOutFacts(Facts):
    """A day that did not count in full. A `known_peak` is one that staff had marked."""

    day: date
    usage: Decimal
    counted: Decimal
    reason: Literal["peak", "known_peak"]


class WeekFacts(Facts):
    """Seven days from `first_day` on; `pace` is what a month of such weeks comes to, without peaks."""

    first_day: date
    pace: Decimal


class AutoscalingFacts(Facts):
    """A move to another tier: why, from what to what, from when on.

    `decision` names the month and the product that were decided of. `reason` is `moved` when all three typical months
    are above the limit, `moved_early` when two are and usage rose at this time of last year as well,
    `moved_by_returning_peaks` when six months are with their peaks. `weeks` are the last thirteen, oldest first.

    `next_invoice` says what the next invoice comes to, and what it would have come to without the move;
    `extra` is what is invoiced on the day that the move takes effect, for months that are paid already. All of
    them are before tax.
    """

    decision: str
    reason: Literal["moved", "moved_early", "moved_by_returning_peaks"]
    product: ProductFacts
    months: Annotated[list[TypicalMonthFacts], Field(min_length=3, max_length=3)]
    weeks: Annotated[list[WeekFacts], Field(max_length=13)]
    weeks_above: int
    left_out: list[LeftOutFacts]
    before: TierFacts
    after: TierFacts
    effective_on: date
    extra: MoneyFacts | None
    next_invoice: ChargeFacts
    next_invoice_without: MoneyFacts
    ask: PersonFacts | None


class ThresholdFacts(Facts):
    """The usage of a month has reached so many percent of its tier. `next_tier` is None above the highest."""

    product: ProductFacts
    month: Month
    percent: Literal[75, 90, 100]
    usage: Decimal
    up_to: int
    next_tier: TierFacts | None


class RefusedUsageFacts(Facts):
    """Usage is still reported for these stores, by their names."""

    stores: list[str]


class AboveTiersFacts(Facts):
    """Usage is steadily above what `highest` holds, the highest tier that can be had without asking."""

    product: ProductFacts
    months: Annotated[list[TypicalMonthFacts], Field(min_length=3, max_length=3)]
    current: TierFacts
    highest: TierFacts


class PauseFacts(Facts):
    """Nothing moves before the day `until`."""

    until: date
    reason: str


class KnownPeakFacts(Facts):
    """A day that counts no more than a usual one: of one product, or with None of all."""

    day: date
    product: str | None
    reason: str


class AutoscalingSettingsFacts(Facts):
    """What staff have set."""

    pause: PauseFacts | None
    known_peaks: list[KnownPeakFacts]


class BelowTierFacts(Facts):
    """The average of three closed months fits a lower tier, to which a review can lead."""

    product: ProductFacts
    months: Annotated[list[MonthFacts], Field(min_length=3, max_length=3)]
    average: Decimal
    current: TierFacts
    fitting: TierFacts
    ask: PersonFacts | None


class ReviewFacts(Facts):
    """A review with the customer success manager. `place` is an address, a number or a link."""

    review: Identifier
    begins: datetime
    ends: datetime
    manager: PersonFacts
    place: str | None
    products: list[ProductFacts]


class AppointmentFacts(Facts):
    """The review in which something was decided; with `appointment_cancelled` it does not take place any more."""

    appointment: ReviewFacts
    appointment_cancelled: bool


class LoweredTierFacts(Facts):
    """A product's move to a lower tier, which holds the average of three closed months."""

    product: ProductFacts
    months: Annotated[list[MonthFacts], Field(min_length=3, max_length=3)]
    average: Decimal
    before: TierFacts
    after: TierFacts


class TierLoweredFacts(AppointmentFacts):
    """Lower tiers after a review, from the renewal on the day `effective_on`."""

    effective_on: date
    tiers: Annotated[list[LoweredTierFacts], Field(min_length=1)]


class DeclinedReviewFacts(AppointmentFacts):
    """No lower tier after a review, for a `reason` in the words of whoever decided it."""

    reason: str


class HoursFacts(Facts):
    """Working hours of a day, from `since` to before `until`, on the clocks of the success manager's time zone."""

    since: time
    until: time


class WorkingHoursFacts(Facts):
    monday: list[HoursFacts]
    tuesday: list[HoursFacts]
    wednesday: list[HoursFacts]
    thursday: list[HoursFacts]
    friday: list[HoursFacts]
    saturday: list[HoursFacts]
    sunday: list[HoursFacts]


class AbsenceFacts(Facts):
    """Days from `since` to before `until`."""

    since: date
    until: date


class SuccessManagerFacts(Facts):
    """A customer success manager, and when reviews with them can be booked. `version` counts the changes."""

    success_manager: str
    version: int
    name: str
    email: str
    time_zone: str
    working_hours: WorkingHoursFacts
    review_minutes: int
    place: str | None
    absences: list[AbsenceFacts]


class AssignedManagerFacts(Facts):
    success_manager: str
    name: str
    email: str


class InvoiceLineFacts(Facts):
    description: str
    amount: MoneyFacts


class InvoiceFacts(Facts):
    """`until` is the first day that is not paid for. `charge_on` is None where the customer transfers the money
    themselves; `document` is the key of the PDF among the documents, None without one."""

    number: str
    produced_on: date
    due_on: date
    since: date
    until: date
    lines: list[InvoiceLineFacts]
    net: MoneyFacts
    tax: MoneyFacts
    total: MoneyFacts
    method: Literal["card", "sepa_debit", "bank_transfer"] | None
    charge_on: date | None
    document: str | None


class CreditNoteFacts(Facts):
    """`corrects` is the invoice's number. Its amounts are below zero; what becomes of the money is not: `waived` need
    not be paid, `refunded` goes back, `carried` is taken off the next invoices. `document` is the key of the PDF."""

    number: str
    corrects: str
    reason: str
    produced_on: date
    lines: list[InvoiceLineFacts]
    net: MoneyFacts
    tax: MoneyFacts
    total: MoneyFacts
    waived: MoneyFacts
    refunded: MoneyFacts
    carried: MoneyFacts
    document: str


class RefundFacts(Facts):
    number: str
    corrects: str
    refunded: MoneyFacts


class PaidFacts(Facts):
    number: str
    paid_on: date
    total: MoneyFacts
    method: Literal["card", "sepa_debit", "bank_transfer"]


class FailedPaymentFacts(Facts):
    """`next_attempt_on` is None when there will be none; `authenticate_at` is where the customer's bank asks for
    their consent, None unless it does."""

    number: str
    due_on: date
    total: MoneyFacts
    reason: Literal[
        "declined", "insufficient_funds", "expired_card", "authentication_required", "no_payment_method", "failed"
    ]
    next_attempt_on: date | None
    authenticate_at: WebAddress | None


class PastDueFacts(Facts):
    """`reason` is why the last attempt has failed, None where the customer transfers the money themselves."""

    number: str
    due_on: date
    due: MoneyFacts
    reason: str | None


class CancellationFacts(Facts):
    """`active_until` is the first day that is not served; what is paid for is used up by then. `receipt` names
    this cancellation wherever it is spoken of."""

    receipt: Identifier
    requested_by: PersonFacts
    reason: str
    text: str
    notice_ends: date
    active_until: date
    charges_still_due: list[ChargeFacts]
    purge_on: date


class RenewalFacts(Facts):
    """The renewal to come, and what it comes to."""

    renewal: ChargeFacts
    interval_months: int


class NoticeDeadlineFacts(RenewalFacts):
    """`last_day` is the last one on which a cancellation avoids the renewal."""

    last_day: date


class DeactivationFacts(Facts):
    """`reactivate_until` is the last day on which an admin can change their mind; on `purge_on` all is deleted."""

    deactivated_on: date
    reactivate_until: date
    purge_on: date


class ReactivationFacts(Facts):
    contract: ContractFacts
    lines: list[LineFacts]
    first_charge: ChargeFacts


class RequestedReactivationFacts(Facts):
    """What an admin has agreed to be charged for the first period of the new contract, with tax."""

    reactivation: Identifier
    due: MoneyFacts


class FailedReactivationFacts(RequestedReactivationFacts):
    """`reactivate_until` is the last day on which it can be tried again; on `purge_on` all is deleted."""

    reason: Literal[
        "declined", "insufficient_funds", "expired_card", "authentication_required", "no_payment_method", "failed"
    ]
    reactivate_until: date
    purge_on: date


class DeletionFacts(Facts):
    """What was deleted, counted by kind, and who is told: nobody could be looked up any more."""

    receipt: Identifier
    account_name: str
    language: str
    recipients: list[PersonFacts]
    deleted_at: datetime
    counts: dict[str, int]
    digest: str
    invoices_kept_years: int


class RequestedDownloadFacts(Facts):
    """A file that somebody of the account has asked for; `year` goes with invoices. `user` has asked."""

    download: Identifier
    kind: Literal["export", "invoices"]
    year: int | None
    user: str


class ReadyDownloadFacts(RequestedDownloadFacts):
    """`until` is the last day on which it can be downloaded."""

    requested_at: datetime
    files: int
    until: date


class UndeliverableFacts(Facts):
    """An address that refuses mail, or whose owner has called it unwanted. It is not written to again."""

    email: str
    reason: Literal["bounced", "complained"]


# ---- The kinds of events ---------------------------------------------------------------------------


class AccountProvisioned(Happening):
    """A new account."""

    type: Literal["account.provisioned"]
    version: Literal[1]
    account: str
    before: None
    after: AccountFacts


class BillingInformationChanged(Happening):
    """An area of billing information was changed; future invoices say so."""

    type: Literal["billing_information.changed"]
    version: Literal[1]
    account: str
    before: InformationFacts
    after: InformationFacts


class CatalogueReplaced(Happening):
    """There is a new version of the catalogue. Accounts stay on theirs."""

    type: Literal["catalogue.replaced"]
    version: Literal[1]
    account: None
    before: CatalogueFacts | None
    after: CatalogueFacts


class UserAdded(Happening):
    """A person was given a role in the account."""

    type: Literal["user.added"]
    version: Literal[1]
    account: str
    before: None
    after: UserFacts


class UserChanged(Happening):
    """A person's name or role was changed."""

    type: Literal["user.changed"]
    version: Literal[1]
    account: str
    before: UserFacts
    after: UserFacts


class UserRemoved(Happening):
    """A person has no longer access to the account."""

    type: Literal["user.removed"]
    version: Literal[1]
    account: str
    before: UserFacts
    after: None


class CardUpdated(Happening):
    """A new card has taken the place of the old one, whose details are deleted."""

    type: Literal["card.updated"]
    version: Literal[1]
    account: str
    before: CardFacts | None
    after: NewCardFacts


class PaymentMethodChanged(Happening):
    """The account pays in another way, or in none any more; or the bank has told of a new expiry of its card."""

    type: Literal["payment_method.changed"]
    version: Literal[1]
    account: str
    before: PaymentMethodFacts | None
    after: NewPaymentMethodFacts


class PaymentDisputed(Happening):
    """A customer's bank takes a payment back for now. Told to staff, who answer it at the payment service."""

    type: Literal["payment.disputed"]
    version: Literal[1]
    account: str
    before: None
    after: DisputeFacts


class CardExpiring(Happening):
    """The card expires in 30 days, or in 7."""

    type: Literal["card.expiring"]
    version: Literal[1]
    account: str
    before: None
    after: ExpiringCardFacts


class SubscriptionAutoscaled(Happening):
    """Usage that has really grown moves a product to the tier that fits."""

    type: Literal["subscription.autoscaled"]
    version: Literal[1]
    account: str
    before: None
    after: AutoscalingFacts


class UsageThresholdReached(Happening):
    """A month's usage of a product has come near its tier's volume, or over it."""

    type: Literal["usage.threshold_reached"]
    version: Literal[1]
    account: str
    before: None
    after: ThresholdFacts


class UsageAboveTiers(Happening):
    """Usage has grown beyond every tier that can be had without asking. Told to staff, once."""

    type: Literal["usage.above_tiers"]
    version: Literal[1]
    account: str
    before: None
    after: AboveTiersFacts


class AutoscalingChanged(Happening):
    """Staff have paused autoscaling, or marked days as known peaks, or taken that back."""

    type: Literal["autoscaling.changed"]
    version: Literal[1]
    account: str
    before: AutoscalingSettingsFacts
    after: AutoscalingSettingsFacts


class UsageBelowTier(Happening):
    """Usage has been low enough for a lower tier for three months: a review can be booked."""

    type: Literal["usage.below_tier"]
    version: Literal[1]
    account: str
    before: None
    after: BelowTierFacts


class UsageRefused(Happening):
    """Usage of a deactivated account is still reported, and is not counted. Told once for each deactivation."""

    type: Literal["usage.refused"]
    version: Literal[1]
    account: str
    before: None
    after: RefusedUsageFacts


class ReviewBooked(Happening):
    """An admin has booked a review with the customer success manager."""

    type: Literal["review.booked"]
    version: Literal[1]
    account: str
    before: None
    after: ReviewFacts


class ReviewCancelled(Happening):
    """A booked review does not take place."""

    type: Literal["review.cancelled"]
    version: Literal[1]
    account: str
    before: ReviewFacts
    after: None


class ReviewDeclined(Happening):
    """Staff have decided in a review that no lower tier applies."""

    type: Literal["review.declined"]
    version: Literal[1]
    account: str
    before: None
    after: DeclinedReviewFacts


class SubscriptionTierLowered(Happening):
    """Staff have decided in a review that lower tiers apply from the next renewal."""

    type: Literal["subscription.tier_lowered"]
    version: Literal[1]
    account: str
    before: None
    after: TierLoweredFacts


class SuccessManagerChanged(Happening):
    """There is a new customer success manager, or one works otherwise than before."""

    type: Literal["success_manager.changed"]
    version: Literal[1]
    account: None
    before: SuccessManagerFacts | None
    after: SuccessManagerFacts


class SuccessManagerAssigned(Happening):
    """Somebody looks after the account from now on."""

    type: Literal["account.success_manager_assigned"]
    version: Literal[1]
    account: str
    before: AssignedManagerFacts | None
    after: AssignedManagerFacts


class InvoiceIssued(Happening):
    """An invoice was issued."""

    type: Literal["invoice.issued"]
    version: Literal[1]
    account: str
    before: None
    after: InvoiceFacts


class CreditNoteIssued(Happening):
    """An invoice, or some of its lines, was taken back by staff."""

    type: Literal["credit_note.issued"]
    version: Literal[1]
    account: str
    before: None
    after: CreditNoteFacts


class CreditNoteRefunded(Happening):
    """The money of a credit note went back to where it came from."""

    type: Literal["credit_note.refunded"]
    version: Literal[1]
    account: str
    before: None
    after: RefundFacts


class InvoicePaid(Happening):
    """An invoice was paid."""

    type: Literal["invoice.paid"]
    version: Literal[1]
    account: str
    before: None
    after: PaidFacts


class PaymentFailed(Happening):
    """An attempt to charge an invoice has failed."""

    type: Literal["payment.failed"]
    version: Literal[1]
    account: str
    before: None
    after: FailedPaymentFacts


class PaymentPastDue(Happening):
    """An invoice is past due, and is not tried again by itself. Told to staff."""

    type: Literal["payment.past_due"]
    version: Literal[1]
    account: str
    before: None
    after: PastDueFacts


class CancellationRequested(Happening):
    """An admin has cancelled the account; it stays active until what is paid is used up."""

    type: Literal["cancellation.requested"]
    version: Literal[1]
    account: str
    before: None
    after: CancellationFacts


class CancellationWithdrawn(Happening):
    """A cancellation was taken back in time: as if never asked."""

    type: Literal["cancellation.withdrawn"]
    version: Literal[1]
    account: str
    before: CancellationFacts
    after: RenewalFacts


class NoticeDeadlineNear(Happening):
    """In a week is the last day on which a cancellation avoids the next renewal."""

    type: Literal["renewal.notice_deadline_near"]
    version: Literal[1]
    account: str
    before: None
    after: NoticeDeadlineFacts


class AccountDeactivated(Happening):
    """What was paid is used up: the account is no longer served, and nothing is deleted yet."""

    type: Literal["account.deactivated"]
    version: Literal[1]
    account: str
    before: None
    after: DeactivationFacts


class AccountDeletionNear(Happening):
    """In three days everything of the account is deleted."""

    type: Literal["account.deletion_near"]
    version: Literal[1]
    account: str
    before: None
    after: DeactivationFacts


class AccountReactivated(Happening):
    """An admin has taken a deactivated account up again, on a new contract."""

    type: Literal["account.reactivated"]
    version: Literal[1]
    account: str
    before: DeactivationFacts
    after: ReactivationFacts


class AccountReactivationRequested(Happening):
    """An admin wants to take a deactivated account up again. It is charged for first."""

    type: Literal["account.reactivation_requested"]
    version: Literal[1]
    account: str
    before: None
    after: RequestedReactivationFacts


class AccountReactivationFailed(Happening):
    """The first charge has failed: the account stays deactivated."""

    type: Literal["account.reactivation_failed"]
    version: Literal[1]
    account: str
    before: None
    after: FailedReactivationFacts


class AccountDeleted(Happening):
    """Nothing of the account is left. This is the receipt."""

    type: Literal["account.deleted"]
    version: Literal[1]
    account: str
    before: None
    after: DeletionFacts


class DownloadRequested(Happening):
    """Somebody has asked for all data of the account, or for its invoices of a year."""

    type: Literal["download.requested"]
    version: Literal[1]
    account: str
    before: None
    after: RequestedDownloadFacts


class DownloadReady(Happening):
    """What was asked for can be downloaded."""

    type: Literal["download.ready"]
    version: Literal[1]
    account: str
    before: None
    after: ReadyDownloadFacts


class AddressUndeliverable(Happening):
    """Mail to somebody of the account has come back for good, or was called unwanted."""

    type: Literal["address.undeliverable"]
    version: Literal[1]
    account: str
    before: None
    after: UndeliverableFacts


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
    return SCHEMA_OF[event.type].model_validate(event, from_attributes=True)
