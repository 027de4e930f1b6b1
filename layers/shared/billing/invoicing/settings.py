"""The deployment's settings of invoices and payments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

from billing.invoicing.invoices import Seller
from billing.invoicing.reminders import REMINDER_DAYS, REMINDERS
from billing.kernel.account_ids import series_of
from billing.kernel.currencies import MINOR_UNIT_DIGITS
from billing.payments.methods import CHARGED, Method

TERM_DAYS = 14
CREDIT_SERIES = "CN"
TIME_ZONE = "UTC"
RETRY_DAYS = (1, 3, 5, 7)


class UnconfirmedVatNumber(StrEnum):
    """What the next reverse charge invoice does while VIES has not confirmed the VAT number and staff have not decided:
    it is not issued, it charges the tax of its destination, or it goes on as reverse charge."""

    HOLD = "hold"
    CHARGE = "charge"
    CONTINUE = "continue"


@dataclass(frozen=True, slots=True)
class InvoicingSettings:
    """`series` is the prefix of invoice numbers, `credit_series` that of credit note numbers.

    Invoices and credit notes are dated and numbered by the day in `time_zone`, the seller's (IANA database).
    `term_days` is the payment term of bank transfers. A failed charge is tried again `retry_days` after the first
    failure. A past-due invoice is reminded of `reminder_days` after its due day: REMINDERS of them, each later than the
    one before. `unconfirmed` is None where the deployment does not ask VIES about VAT numbers. `seller_currency` is the
    currency that invoices in another one have their tax in too, None for none. Raises ValueError if it is not in ISO
    4217, and for other `reminder_days`.

    `charged` are the methods that the deployment charges. A SEPA debit is made `sepa_notice_days` after its invoice,
    whose mail announces it; with 0 at once, and the payment service announces it.
    """

    series: str
    seller: Seller
    term_days: int = TERM_DAYS
    retry_days: tuple[int, ...] = RETRY_DAYS
    reminder_days: tuple[int, ...] = REMINDER_DAYS
    credit_series: str = CREDIT_SERIES
    unconfirmed: UnconfirmedVatNumber | None = None
    time_zone: str = TIME_ZONE
    charged: frozenset[Method] = CHARGED
    sepa_notice_days: int = 0
    seller_currency: str | None = None

    def __post_init__(self) -> None:
        days = self.reminder_days
        if len(days) != REMINDERS or min(days) < 1 or list(days) != sorted({*days}):
            raise ValueError(f"ReminderDays is {days}: it must have {REMINDERS} days, each later than the one before")
        if self.seller_currency is not None and self.seller_currency not in MINOR_UNIT_DIGITS:
            raise ValueError(f"SellerCurrency is {self.seller_currency}, which is not a currency of ISO 4217")

    def series_of(self, account: str) -> str:
        """The series of an account's invoices: the deployment's, or its test clock's own."""
        return series_of(self.series, account)

    def credit_series_of(self, account: str) -> str:
        """The series of an account's credit notes: the deployment's, or its test clock's own."""
        return series_of(self.credit_series, account)

    def day_of_issue(self, now: datetime) -> date:
        """The seller's day at `now`, an aware instant."""
        return now.astimezone(ZoneInfo(self.time_zone)).date()
