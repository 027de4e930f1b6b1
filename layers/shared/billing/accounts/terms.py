"""A new term of a running contract: paid for more or fewer months at once, or in another currency, from a renewal on
(DESIGN 3.1.10).

Staff propose it. One that is longer binds the customer for longer, and another currency changes what they pay: so an
admin of the account must agree to both.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, datetime
from enum import StrEnum

from billing.kernel.contract_calendar import Contract, Term
from billing.kernel.errors import Conflict, NotFound
from billing.kernel.schedules import start_of


class TermState(StrEnum):
    """The state of a term: proposed, agreed, or how it has ended without effect."""

    PROPOSED = "proposed"
    AGREED = "agreed"
    TAKEN_BACK = "taken_back"
    REPLACED = "replaced"
    LAPSED = "lapsed"


TierPrices = tuple[tuple[int | None, int | None], ...]
"""The tiers of a product, smallest first: each volume with its price per month in minor units, None without one."""


@dataclass(frozen=True, slots=True)
class NewCurrency:
    """Another currency of a contract, with the prices of its products in one version of the catalogue, by product."""

    currency: str
    catalogue_version: int
    prices: tuple[tuple[str, TierPrices], ...]


@dataclass(frozen=True, slots=True)
class TermChange:
    """The newest change of an account's term. `id` is a ULID; `from_month` is the contract month of a renewal.

    `agreed_by` is the id of the admin who has agreed, None where nobody need. `version` counts the writes.

    `into` is the currency from then on where it is another one. The contract that began on `start` gets such a term
    only when its renewal is invoiced, at `began_at`, and only if nothing is left in its present currency; `left` says
    what was left where it has lapsed. From `follow_at` on the renewal notice is yet to follow the contract.
    """

    id: str
    interval_months: int
    from_month: int
    reason: str
    proposed_at: datetime
    state: TermState
    agreed_by: str | None = None
    agreed_at: datetime | None = None
    ended_at: datetime | None = None
    version: int = 0
    into: NewCurrency | None = None
    start: date | None = None
    left: tuple[str, ...] = ()
    began_at: datetime | None = None
    follow_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an admin's consent."""
        return self.state is TermState.PROPOSED

    def lapses_at(self, contract: Contract) -> datetime:
        """The instant at which it lapses without consent: when its renewal begins."""
        return start_of(self.first_day(contract), contract)

    def first_day(self, contract: Contract) -> date:
        """The first day of its renewal. It is one of the contract that it was proposed for, which may have ended."""
        return replace(contract, start=self.start or contract.start).month_start(self.from_month)

    def is_of(self, contract: Contract) -> bool:
        """Whether it was proposed for this contract, and not for an earlier one. Older changes do not say it."""
        return self.start is None or self.start == contract.start

    def is_in(self, contract: Contract) -> bool:
        """Whether the contract has it, as its last term."""
        last = contract.terms[-1] if contract.terms else None
        return self.state is TermState.AGREED and last is not None and last.from_month == self.from_month

    def awaits(self, contract: Contract) -> bool:
        """Whether it is agreed, and the contract gets it when its renewal is invoiced."""
        return self.is_to_begin and self.start == contract.start

    @property
    def is_to_begin(self) -> bool:
        """Whether it is agreed, and into another currency that has not begun."""
        return self.state is TermState.AGREED and self.into is not None and self.began_at is None

    def agreed(self, by: str | None, at: datetime) -> TermChange:
        """The change after nobody need agree any more."""
        return replace(self, state=TermState.AGREED, agreed_by=by, agreed_at=at)

    def ended(self, state: TermState, at: datetime) -> TermChange:
        """The change after its end."""
        return replace(self, state=state, ended_at=at)

    def term_of(self, contract: Contract, at: datetime) -> Term:
        """The term of the contract that follows from it."""
        currency = contract.currency_of(self.from_month) if self.into is None else self.into.currency
        return Term(self.from_month, self.interval_months, currency, at)


class NoTermChange(NotFound):
    """There is no change of the term, or none with this id."""

    code = "term-not-found"

    def __init__(self) -> None:
        super().__init__("There is no such change of the term.")


class TermEnded(Conflict):
    """The change of the term has ended, or is in effect."""

    code = "term-ended"

    def __init__(self, state: TermState) -> None:
        ends = {
            TermState.PROPOSED: "Its renewal has come, and no admin had agreed.",
            TermState.AGREED: "It is in effect.",
            TermState.TAKEN_BACK: "It was taken back.",
            TermState.REPLACED: "Another one was proposed.",
            TermState.LAPSED: "Its renewal has come, and it did not take effect.",
        }
        super().__init__(ends[state])


def without_term(contract: Contract, change: TermChange | None) -> Contract:
    """The contract without a change that is its last term. It must not be in effect yet."""
    if change is None or not change.is_in(contract):
        return contract
    return replace(contract, terms=contract.terms[:-1])
