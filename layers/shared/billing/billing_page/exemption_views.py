"""API views of a change of exemptions from tax."""

from __future__ import annotations

from datetime import date

from billing.billing_page.change_exemptions import ExemptionsChange, exempt_from
from billing.billing_page.page import BillingPage, NextCharge
from billing.billing_page.views import NextChargeView
from billing.invoicing.exemptions.views import ExemptionView
from billing.platform.http.models import View, plain


class ExemptionsView(View):
    """The exemptions of an account, oldest first, with those that are over.

    Invoices are issued for the days before `changes_from`: no exemption begins or ends earlier.
    """

    changes_from: date
    exemptions: list[ExemptionView]

    @classmethod
    def of(cls, page: BillingPage, today: date) -> ExemptionsView:
        listed = [ExemptionView.of(each) for each in page.exemptions.entries]
        return cls(changes_from=exempt_from(page, today), exemptions=listed)


class TaxedChargeView(View):
    """The next charge, before credit, with the rate of its tax in percent and what the invoice says about it."""

    charge: NextChargeView
    tax_rate: str
    sentence: str | None

    @classmethod
    def of(cls, charge: NextCharge | None, language: str) -> TaxedChargeView | None:
        if charge is None:
            return None
        tax = charge.taxed
        return cls(charge=NextChargeView.of(charge), tax_rate=plain(tax.rate), sentence=tax.sentence(language))


class ExemptionsChangeView(View):
    """The exemptions after a change, the next charge then and without the change; null where none is to come."""

    exemptions: ExemptionsView
    next_charge: TaxedChargeView | None
    next_charge_without: TaxedChargeView | None

    @classmethod
    def of(cls, change: ExemptionsChange, today: date) -> ExemptionsChangeView:
        language = change.page.information.billing.details.language
        return cls(
            exemptions=ExemptionsView.of(change.page, today),
            next_charge=TaxedChargeView.of(change.next_charge, language),
            next_charge_without=TaxedChargeView.of(change.before, language),
        )
