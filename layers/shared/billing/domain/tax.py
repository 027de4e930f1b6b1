"""VAT on what is sold to a company, by where the two are (DESIGN 3.3; Directive 2006/112/EC, articles 44 and 196)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.domain.information import as_printed, compact_identifier
from billing.domain.money import rounded, rounded_tax
from billing.domain.vat_rates import STANDARD_RATES, standard_rate

_PERCENT = Decimal(100)
_PREFIX_OF_GREECE = {"EL": "GR"}


class TaxRule(StrEnum):
    """Why so much tax is charged, or none."""

    DOMESTIC = "domestic"
    REVERSE_CHARGE = "reverse_charge"
    DESTINATION = "destination"
    OUTSIDE_EU = "outside_eu"
    SELLER_OUTSIDE_EU = "seller_outside_eu"


SENTENCES: dict[TaxRule, dict[str, str]] = {
    TaxRule.REVERSE_CHARGE: {
        "en": "Reverse charge: VAT is to be accounted for by the recipient (Article 196 of Directive 2006/112/EC).",
        "it": "Inversione contabile: l'IVA è dovuta dal destinatario (articolo 196 della direttiva 2006/112/CE).",
    },
    TaxRule.OUTSIDE_EU: {
        "en": "Not subject to VAT: the place of supply is outside the EU (Article 44 of Directive 2006/112/EC).",
        "it": "Operazione non soggetta a IVA: luogo della prestazione fuori dall'UE (articolo 44 della direttiva "
        "2006/112/CE).",
    },
}
"""What the law wants to be said on the invoice, by language. English stands for those that are missing."""


@dataclass(frozen=True, slots=True)
class Tax:
    """The rule, whose rate applies, and the rate in percent. Frozen on each invoice."""

    rule: TaxRule
    country: str
    rate: Decimal

    @property
    def is_subject(self) -> bool:
        """Whether it is subject to VAT at all, even if the recipient accounts for it."""
        return self.rule not in {TaxRule.OUTSIDE_EU, TaxRule.SELLER_OUTSIDE_EU}

    def of(self, net: int) -> int:
        """The tax on minor units, rounded once, half away from zero."""
        return rounded_tax(net * self.rate / _PERCENT)

    def of_half_even(self, net: int) -> int:
        """The tax as the first invoices were rounded, half to even: their credit notes take back the same."""
        return rounded(net * self.rate / _PERCENT)

    def sentence(self, language: str) -> str | None:
        """What the law wants to be said, None where it wants nothing."""
        words = SENTENCES.get(self.rule)
        return None if words is None else words.get(language, words["en"])


def tax_position(seller_country: str, country: str, vat_number: str | None, day: date) -> Tax:
    """The tax on what a seller in one country sells to a company in another on a day.

    `vat_number` is a valid one of the buyer's, None without. In the seller's own country its rate is charged; in
    another member state none to a buyer with a number of one, and that state's rate to any other; outside none.
    """
    if seller_country not in STANDARD_RATES:
        return Tax(TaxRule.SELLER_OUTSIDE_EU, seller_country, Decimal(0))
    if country == seller_country:
        return Tax(TaxRule.DOMESTIC, country, standard_rate(country, day))
    if country not in STANDARD_RATES:
        return Tax(TaxRule.OUTSIDE_EU, country, Decimal(0))
    issuer = _issuer(vat_number)
    if issuer in STANDARD_RATES and issuer != seller_country:
        return Tax(TaxRule.REVERSE_CHARGE, country, Decimal(0))
    return Tax(TaxRule.DESTINATION, country, standard_rate(country, day))


def _issuer(vat_number: str | None) -> str | None:
    """The member state of a number, by its prefix. XI is none: Northern Ireland is in the VAT area for goods only."""
    prefix = (as_printed(compact_identifier, vat_number) or "").strip()[:2].upper()
    return _PREFIX_OF_GREECE.get(prefix, prefix) or None
