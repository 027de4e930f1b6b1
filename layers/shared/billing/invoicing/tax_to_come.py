"""The tax on what an account is to be invoiced, for areas below that know only what it costs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

from billing.accounts.rules import existing
from billing.invoicing.records import InvoiceStore
from billing.invoicing.settings import UnconfirmedVatNumber
from billing.invoicing.vat_numbers.rules import tax_on_sale
from billing.invoicing.vat_territories import Address


def tax_to_come(
    account: str, *, seller: Address, policy: UnconfirmedVatNumber | None, store: InvoiceStore
) -> Callable[[date, int], int]:
    """Returns the tax, as it would be today, on a net amount in minor units that is invoiced for a day.

    One read. Raises AccountNotFound.
    """
    billing = existing(store.billing_context(account))
    taxed = billing.taxed_from(seller)

    def tax(day: date, net: int) -> int:
        return tax_on_sale(taxed, billing.company, day, billing.vat_check, policy, billing.exemptions).of(net)

    return tax
