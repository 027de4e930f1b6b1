"""The tree of errors, by kind. Only billing.platform.http.problems maps a kind to an HTTP status.

BillingError
├── NotFound            it does not exist, or not for this caller
│   └── AccountNotFound
├── Unauthenticated     the request has no valid token
├── Forbidden           the caller is known and lacks the permission
├── Conflict            the current state does not allow it
│   └── ConcurrentChange    another request changed the same thing at the same moment
│       └── Busy            DynamoDB throttles; try again a moment later
├── StaleVersion        another request changed it first
├── VersionRequired     the caller must name the version that it changes
├── RuleViolation       well-formed, but breaks a rule; names every place
├── LimitReached        so many are allowed in a span of time; says when to try again
├── BadParameter        a parameter of the query is not possible; names it
├── UpstreamFailed      an outside service failed
│   └── AnswerLost      no answer; the service may have done its part
└── Unprocessable       a message that no further attempt can process

Subclasses of these live beside the rule that raises them. The Conflicts of the areas:

accounts.appointments           AlreadyAdmin, AppointmentEnded, AppointmentOpen, DeletedBefore
accounts.provisioning           AdminHasLoggedIn, LogInsUnknown
accounts.rules                  AccountExists, LastAdmin
scaling.reviews.rules           NoSuccessManager, ReviewNotYet, ReviewOpen, SlotTaken
payments.methods                SetupSuperseded
subscriptions.changes           EndChanged, LastProduct, NotEnding
subscriptions.currency_changes  CurrencyPending
subscriptions.version_changes   NoVersionPending, ProductOfVersion, VersionBetweenRenewals,
                                VersionDayChanged
usage.corrections               AccountClosed, CorrectionConflict
invoicing.bank_statements       EntryDecided, NothingDecided (entries)
invoicing.dunning               AlreadyPaid
invoicing.credit_notes          AlreadyCredited, NotCorrectable
invoicing.collect_payments      NothingToCharge
invoicing.seller_currency       ExchangeRateUnknown
invoicing.settle_by_hand        RefundUnderWay
invoicing.tax_rates.rules       TaxRateUnknown, TaxRatesBuiltIn
invoicing.transfers             BookingTakenBack, CreditRepaid, NoInvoice, TransferDiffers
invoicing.vat_numbers.rules     NoVatNumber, VatNumberUnconfirmed
ending.cancellation.rules       DatesChanged, NotCancelling, Deactivated
ending.erasure.rules            NamedInBilling
ending.reactivation.rules       NotDeactivated, NothingSold, NoPaymentMethod, QuoteChanged

AdminsOnly (billing.kernel.permissions) is Forbidden. TooManyInvitations and TooManyPromotions (accounts.rules) are
LimitReached. Every error has a stable `code` for clients. An area whose error
shows more than its `detail` registers the further members in its views (billing.platform.http.problems.members).
"""

from __future__ import annotations

from dataclasses import dataclass, field

from billing.kernel.field_codes import FieldCode, Limits, LimitValue

Path = tuple[str | int, ...]


class BillingError(Exception):
    """The root of the tree. `detail` is a text for the caller."""

    code = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(BillingError):
    """It does not exist, or not for this caller (DESIGN 3.4.1)."""

    code = "not-found"


class AccountNotFound(NotFound):
    """The account does not exist, or the caller does not belong to it. The caller cannot tell which (DESIGN 3.4.1)."""

    code = "account-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such account.")


class Unauthenticated(BillingError):
    """The request has no token that this resource accepts."""

    code = "unauthenticated"


class Forbidden(BillingError):
    """The caller is known and lacks the permission."""

    code = "forbidden"


class Conflict(BillingError):
    """The current state does not allow it."""

    code = "conflict"


class ConcurrentChange(Conflict):
    """Another request changed the same thing at the same moment. A retry is safe."""

    code = "concurrent-change"

    def __init__(self) -> None:
        super().__init__("Somebody else changed this at the same moment. Try again.")


class Busy(ConcurrentChange):
    """DynamoDB throttled the request and wrote nothing. A retry after `retry_after_seconds` is safe.

    It is a ConcurrentChange: code that retries after a collision also retries after a throttle.
    """

    code = "busy"
    retry_after_seconds = 1

    def __init__(self) -> None:
        BillingError.__init__(self, "Too much is going on at the moment. Try again in a second.")


class StaleVersion(BillingError):
    """The version that the caller named is not the current one."""

    code = "stale-version"

    def __init__(self) -> None:
        super().__init__("This was changed in the meantime. Read it again, then repeat your change.")


class VersionRequired(BillingError):
    """A change of an existing object must name the version that it replaces (DESIGN 5.5)."""

    code = "version-required"


@dataclass(frozen=True, slots=True)
class Violation:
    """One place that breaks a rule. `path` is its place in the body: names of fields and positions in lists.

    `code` and `limits` say it without words.
    """

    path: Path
    detail: str
    code: FieldCode
    limits: Limits = field(default_factory=dict)


class RuleViolation(BillingError):
    """A well-formed request that breaks rules of the domain. Names all places at once."""

    code = "rule-violation"

    def __init__(self, *violations: Violation) -> None:
        super().__init__("The request breaks a rule: " + "; ".join(each.detail for each in violations))
        self.violations = violations


class BadParameter(BillingError):
    """A query cannot be answered. `parameter` is the name of the parameter to change."""

    code = "bad-parameter"

    def __init__(self, parameter: str, detail: str, field_code: FieldCode, **limits: LimitValue | None) -> None:
        super().__init__(detail)
        self.parameter = parameter
        self.field_code = field_code
        self.limits: Limits = limits


class LimitReached(BillingError):
    """As many as one span of time allows have been done. A retry succeeds after `retry_after_seconds` at the latest."""

    code = "limit-reached"

    def __init__(self, detail: str, retry_after_seconds: int) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class UpstreamFailed(BillingError):
    """An outside service failed. A retry is safe."""

    code = "upstream-failed"


class AnswerLost(UpstreamFailed):
    """An outside service did not answer, and may have done its part."""

    code = "answer-lost"


class Unprocessable(BillingError):
    """A message that cannot be processed. A retry fails again."""

    code = "unprocessable"


def reason_of(failure: Exception) -> str:
    """The log's text: the `detail` of our own errors, else only the class. Other texts may repeat customer data."""
    return failure.detail if isinstance(failure, BillingError) else type(failure).__name__
