"""What can go wrong, by kind; only billing.api maps a kind to HTTP.

BillingError
├── NotFound            the thing is unknown, or unknown to this caller
│   └── AccountNotFound
├── Unauthenticated     the request names no caller that we know
├── Forbidden           the caller is known, and may not
├── Conflict            the state does not allow it
│   └── ConcurrentChange    another request changed the same thing at the same moment
│       └── Busy            the table is throttled; try again a moment later
├── StaleVersion        another request changed it first
├── VersionRequired     the caller must say which version it changes
├── RuleViolation       well-formed, and against a rule; names every place
├── BadParameter        the question cannot be answered; names the parameter to change
├── UpstreamFailed      a service that we depend on did not do its part
│   └── AnswerLost      or perhaps did: the answer is lost
└── Unprocessable       a message that no further attempt can process

The errors of an area are subclasses of these, beside the rule that raises them:

permissions             AdminsOnly (Forbidden)
account                 AccountExists, LastAdmin
success_managers        NoSuccessManager
reviews                 ReviewNotYet, ReviewOpen, SlotTaken
payment                 SetupSuperseded
invoices                SeriesExhausted
collection              AlreadyPaid
corrections             AlreadyCredited, NotCorrectable
cancellation            DatesChanged, NotCancelling, Deactivated
reactivation            NotDeactivated, NothingSold, NoPaymentMethod, OfferChanged

All but the first are Conflicts. Every error has a stable `code`, by which a client may tell it apart; what a client is
told beside `detail` is shown by the area's module in billing.api (billing.platform.http.problems.members).
"""

from __future__ import annotations

from dataclasses import dataclass

Path = tuple[str | int, ...]


class BillingError(Exception):
    """The root of the tree. `detail` is written for the person who asked."""

    code = "error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class NotFound(BillingError):
    """What was asked for does not exist for this caller."""

    code = "not-found"


class AccountNotFound(NotFound):
    """No such account, or the caller does not belong to it: the two are not told apart."""

    code = "account-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such account.")


class Unauthenticated(BillingError):
    """The request carries no token that this resource takes."""

    code = "unauthenticated"


class Forbidden(BillingError):
    """The caller is known and may not do this."""

    code = "forbidden"


class Conflict(BillingError):
    """The state of things does not allow it."""

    code = "conflict"


class ConcurrentChange(Conflict):
    """Another request changed the same thing at the same moment; trying again is safe."""

    code = "concurrent-change"

    def __init__(self) -> None:
        super().__init__("Somebody else changed this at the same moment. Try again.")


class Busy(ConcurrentChange):
    """DynamoDB throttles; nothing was written, and trying again a moment later is safe.

    It is a ConcurrentChange, so that code which tries again after a collision also tries again after a throttle.
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
    """A change of something that exists must name the version it starts from."""

    code = "version-required"


@dataclass(frozen=True, slots=True)
class Violation:
    """One place that breaks a rule. `path` leads to it: names of fields and positions in lists."""

    path: Path
    detail: str


class RuleViolation(BillingError):
    """Well-formed, but against the domain's rules; all the places at once."""

    code = "rule-violation"

    def __init__(self, *violations: Violation) -> None:
        super().__init__("The request breaks a rule: " + "; ".join(each.detail for each in violations))
        self.violations = violations


class BadParameter(BillingError):
    """What is asked for cannot be shown; `parameter` is the part of the question to change."""

    code = "bad-parameter"

    def __init__(self, parameter: str, detail: str) -> None:
        super().__init__(detail)
        self.parameter = parameter


class UpstreamFailed(BillingError):
    """A service outside Livello did not answer as it should; trying again is safe."""

    code = "upstream-failed"


class AnswerLost(UpstreamFailed):
    """A service outside Livello did not answer, and may have done its part nevertheless."""

    code = "answer-lost"


class Unprocessable(BillingError):
    """A message that can never be processed: trying again is of no use."""

    code = "unprocessable"


def reason_of(failure: Exception) -> str:
    """Why something failed, for a log: our own words, or the kind alone, as other messages repeat what was sent."""
    return failure.detail if isinstance(failure, BillingError) else type(failure).__name__
