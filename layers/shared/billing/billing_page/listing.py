"""The list of all accounts for staff: what it can be asked for, and which accounts fit (decision 0035)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from billing.accounts.information import CompanyDetails, comparable_vat_number
from billing.accounts.rules import Account, Status
from billing.kernel.searching import search_text
from billing.payments.methods import PaymentMethod
from billing.scaling.tier_changes import Pause

LOOKED_AT_MAX = 200
"""How many accounts one page looks at. A page that has found too few by then says where to go on."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a page is asked for; None is no condition. `search` is an id, an e-mail address, a VAT number, or the
    beginning of a name. `clock` names the test clock of the accounts; None is for accounts on none."""

    search: str | None = None
    status: Status | None = None
    past_due: bool | None = None
    usable_method: bool | None = None
    paused: bool | None = None
    clock: str | None = None

    @property
    def searches_address(self) -> bool:
        """Whether the search is for an e-mail address."""
        return self.search is not None and "@" in search_text(self.search)


class Found(StrEnum):
    """What has led to an account."""

    ID = "id"
    VAT_NUMBER = "vat-number"
    ADDRESS = "address"
    NAME = "name"
    COMPANY = "company"
    PAST_DUE = "past-due"
    FILTER = "filter"


@dataclass(frozen=True, slots=True)
class Candidate:
    """An account that an index names. `place` is its sort key there, `position` what a page after it begins with."""

    account: str
    found: Found
    place: str
    position: str


@dataclass(frozen=True, slots=True)
class ListedAccount:
    """An account in the list. `email` is its billing address, `method` None without one. `pause` may be over."""

    account: Account
    company: CompanyDetails
    email: str
    method: PaymentMethod | None
    pause: Pause | None

    def can_pay(self, today: date) -> bool:
        """Whether it has a payment method that has not expired."""
        if self.method is None:
            return False
        return self.method.card is None or today <= self.method.card.last_day

    def pause_on(self, today: date) -> Pause | None:
        """The pause of its autoscaling that is in effect."""
        return self.pause if self.pause is not None and today < self.pause.until else None

    def fits(self, asked: Asked, today: date) -> bool:
        """Whether it fits every filter but `past_due`, which its invoices say. `today` is the account's own day."""
        return (
            asked.status in {None, self.account.status}
            and asked.usable_method in {None, self.can_pay(today)}
            and asked.paused in {None, self.pause_on(today) is not None}
        )

    def is_found(self, asked: Asked, found: Found) -> bool:
        """Whether the search has it here: what an index says may be a moment old, and no account is listed twice.

        An id and a VAT number come first, the account's own name before that of its company.
        """
        text = search_text(asked.search or "")
        if found in {Found.ID, Found.ADDRESS, Found.PAST_DUE, Found.FILTER}:
            return True
        if found is Found.VAT_NUMBER:
            return self.account.id != text and self._has_vat_number(text)
        if text and (self.account.id == text or self._has_vat_number(text)):
            return False
        by_name = search_text(self.account.name).startswith(text)
        return by_name if found is Found.NAME else not by_name and search_text(self.company.name).startswith(text)

    def _has_vat_number(self, text: str) -> bool:
        number = self.company.vat_number
        return bool(number) and comparable_vat_number(number or "") == comparable_vat_number(text)
