"""What can be wrong, told in the domain's words; only billing.api knows HTTP.

BillingError
├── NotFound            the thing is unknown, or unknown to this caller
├── Unauthenticated     nobody we know is asking
├── Forbidden           the caller is known, and may not
├── Conflict            the state does not allow it
│   └── ConcurrentChange    somebody else changed it at the same moment
│       └── Busy            the table is throttled; try again a moment later
├── StaleVersion        somebody else changed it first
├── VersionRequired     the caller must say which version it changes
├── RuleViolation       well-formed, and against a rule; names every place
├── BadParameter        what is asked for cannot be shown; names what is wrong with the question
└── UpstreamFailed      a service that we depend on did not do its part
    └── AnswerLost      or perhaps did: nobody can tell

Every error has a stable `code`, by which a client may tell it apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

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


@dataclass(frozen=True, slots=True)
class Admin:
    """An admin of an account, as a member is told of them."""

    name: str
    email: str


class AdminsOnly(Forbidden):
    """A member tried what only an admin may do; `admins` says whom to ask (DESIGN 3.4)."""

    code = "admins-only"

    def __init__(self, admins: tuple[Admin, ...]) -> None:
        super().__init__("Only an admin of this account may do this.")
        self.admins = admins


class Conflict(BillingError):
    """The state of things does not allow it."""

    code = "conflict"


class AccountExists(Conflict):
    """The account id is taken, by an account that was provisioned differently."""

    code = "account-exists"


class LastAdmin(Conflict):
    """An account always keeps at least one admin."""

    code = "last-admin"

    def __init__(self) -> None:
        super().__init__("An account needs at least one admin. Make somebody else an admin first.")


@dataclass(frozen=True, slots=True)
class Missing:
    """What keeps a product from a review. `reason` is stable; `detail` says the same to a person.

    Of `months_known` closed months (three are needed) `months_below` fit the next lower tier; their `average`, None
    without all of them, must be at most `limit`, that tier's volume, None in the lowest tier.
    """

    product: str
    name: str
    reason: str
    months_known: int
    months_below: int
    average: Decimal | None
    limit: int | None
    detail: str


class ReviewNotYet(Conflict):
    """No product's usage fits a lower tier; `missing` says of each what is still missing (DESIGN 3.2)."""

    code = "review-not-yet"

    def __init__(self, missing: tuple[Missing, ...]) -> None:
        told = "; ".join(f"{each.name}: {each.detail}" for each in missing)
        super().__init__(f"No usage fits a lower tier yet. {told}.")
        self.missing = missing


class ReviewOpen(Conflict):
    """An account has one review at a time."""

    code = "review-open"

    def __init__(self) -> None:
        super().__init__("Another review is booked. Cancel it first, or wait until it is decided.")


class SlotTaken(Conflict):
    """Somebody else was faster."""

    code = "slot-taken"

    def __init__(self) -> None:
        super().__init__("This time has just been taken. Choose another one of the slots.")


class NoSuccessManager(Conflict):
    """Nobody is there to talk to yet."""

    code = "no-success-manager"

    def __init__(self) -> None:
        super().__init__("This account has no customer success manager yet. Staff assign one.")


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


def reason_of(failure: Exception) -> str:
    """Why something failed, for a log: our own words, or the kind alone, as other messages repeat what was sent."""
    return failure.detail if isinstance(failure, BillingError) else type(failure).__name__
