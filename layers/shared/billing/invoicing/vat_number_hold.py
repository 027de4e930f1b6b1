"""Whether an invoice waits for its VAT number: the one question that issuing asks about VIES (DESIGN 3.3.11)."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.vat_number_due import VatNumberDue
from billing.invoicing.invoices import InvoiceDraft
from billing.invoicing.records import BillingContext, InvoiceStore
from billing.invoicing.settings import InvoicingSettings
from billing.invoicing.tax import TaxRule
from billing.invoicing.vat_numbers.rules import Treatment, relevant, treatment


def waits_for_vat_number(
    billing: BillingContext, draft: InvoiceDraft, now: datetime, settings: InvoicingSettings, store: InvoiceStore
) -> bool:
    """Whether this invoice is not issued before VIES or staff have confirmed its VAT number.

    Asks for the check of a number that was never asked about: of an account that is older than the setting. One
    transaction for such a number, nothing otherwise. Raises ConcurrentChange.
    """
    if settings.unconfirmed is None or draft.tax.rule is not TaxRule.REVERSE_CHARGE:
        return False
    if relevant(billing.vat_check, billing.company) is None:
        store.ask_for_check(billing, VatNumberDue(now))
    return treatment(billing.vat_check, billing.company, settings.unconfirmed) is Treatment.HOLD
