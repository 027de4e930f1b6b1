"""VAT on sales to companies, by the places of seller and buyer (DESIGN 3.3.5; Directive 2006/112/EC, articles 44, 196).

A place is a territory, not a country (articles 5 to 7): vat_territories.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from billing.accounts.information import CompanyDetails, as_printed, compact_identifier
from billing.invoicing.vat_rates import STANDARD_RATES
from billing.invoicing.vat_territories import Address, Territory, territory_of
from billing.kernel.money import rounded, rounded_tax

_PERCENT = Decimal(100)
_PREFIX_OF_GREECE = {"EL": "GR"}


class TaxRule(StrEnum):
    """The reason for the rate of an invoice.

    From OWN_RATE on they are those of staff: the seller's own tax rates, and exemptions. RATE_MISSING is only in a
    preview: an invoice waits until staff have given the rate.
    """

    DOMESTIC = "domestic"
    REVERSE_CHARGE = "reverse_charge"
    DESTINATION = "destination"
    OUTSIDE_EU = "outside_eu"
    SELLER_OUTSIDE_EU = "seller_outside_eu"
    OWN_RATE = "own_rate"
    ZERO_RATED = "zero_rated"
    EXPORT = "export"
    OUTSIDE_SCOPE = "outside_scope"
    EXEMPT = "exempt"
    RATE_MISSING = "rate_missing"


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
    TaxRule.RATE_MISSING: {
        "en": "The tax rate is not known yet: tax is added before the invoice is issued.",
        "it": "L'aliquota non è ancora nota: l'imposta è aggiunta prima dell'emissione della fattura.",
    },
}
"""The sentence that the law requires on the invoice, by language. English is the default."""

THIRD_TERRITORY = {
    "en": "Not subject to VAT: the place of supply is outside the EU's VAT territory (Articles 5, 6 and 44 of "
    "Directive 2006/112/EC).",
    "it": "Operazione non soggetta a IVA: luogo della prestazione fuori dal territorio IVA dell'UE (articoli 5, 6 e 44 "
    "della direttiva 2006/112/CE).",
}
"""The sentence for a buyer in a member state but outside of the VAT area, where "outside the EU" would be wrong."""


DEFAULT_LANGUAGE = "en"
"""The language of words that staff give in no other."""

Words = Mapping[str, str]
"""A text of staff by language, always with DEFAULT_LANGUAGE."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """The evidence for an exemption: its number or reference, who issued it, and on which day."""

    reference: str
    authority: str
    issued_on: date


@dataclass(frozen=True, slots=True)
class AwaitedTaxRate:
    """A rate of the seller's own tax that an invoice waits for: the country, and the invoice's tax point."""

    country: str
    day: date


@dataclass(frozen=True, slots=True)
class Tax:
    """The rule, the country whose law applies, and the rate in percent. Each invoice keeps its own.

    For a territory `country` is its state: FR for Monaco, ES for the Canary Islands. What staff have given is None
    where the law of the EU decides: `name` of the tax, the `words` that the invoice says, and of an exemption its
    `code` and `certificate`.
    """

    rule: TaxRule
    country: str
    rate: Decimal
    name: str | None = None
    words: Words | None = None
    code: str | None = None
    certificate: Certificate | None = None

    @property
    def is_subject(self) -> bool:
        """Whether the sale is subject to VAT, even if the recipient accounts for it, or if it is exempt."""
        return self.rule not in {TaxRule.OUTSIDE_EU, TaxRule.SELLER_OUTSIDE_EU, TaxRule.OUTSIDE_SCOPE}

    def of(self, net: int) -> int:
        """The tax on `net`, both in minor units, rounded once, half away from zero."""
        return rounded_tax(net * self.rate / _PERCENT)

    def of_half_even(self, net: int) -> int:
        """The tax rounded half to even, as on the first invoices: their credit notes need the same amounts."""
        return rounded(net * self.rate / _PERCENT)

    def sentence(self, language: str) -> str | None:
        """The words of staff, or the sentence that the law requires; None where there is none."""
        if self.words is not None:
            return self.words.get(language, self.words[DEFAULT_LANGUAGE])
        sentences = SENTENCES.get(self.rule)
        if self.rule is TaxRule.OUTSIDE_EU and self.country in STANDARD_RATES:
            sentences = THIRD_TERRITORY
        return None if sentences is None else sentences.get(language, sentences["en"])


def tax_position(seller: Territory, buyer: Territory, vat_number: str | None, day: date) -> Tax:
    """The tax on a sale from a seller in one territory to a company in another, on a day.

    `vat_number` is a valid number of the buyer, None without one. The first rule that fits applies:

    - Both are in the same state, and its VAT applies to both: the rate of the buyer's territory.
    - The seller is outside of the EU's VAT area: no tax.
    - The buyer is outside of that area: no tax.
    - The buyer's number is from another member state than the seller's: reverse charge, no tax.
    - Otherwise: the rate of the buyer's territory.
    """
    if buyer.state == seller.state and buyer.has_vat and seller.has_vat:
        return Tax(TaxRule.DOMESTIC, buyer.state, buyer.rate(day))
    if not seller.in_vat_area:
        return Tax(TaxRule.SELLER_OUTSIDE_EU, seller.state, Decimal(0))
    if not buyer.in_vat_area:
        return Tax(TaxRule.OUTSIDE_EU, buyer.state, Decimal(0))
    issuer = _issuer(vat_number)
    if issuer in STANDARD_RATES and issuer != seller.state:
        return Tax(TaxRule.REVERSE_CHARGE, buyer.state, Decimal(0))
    return Tax(TaxRule.DESTINATION, buyer.state, buyer.rate(day))


def tax_between(seller: Address, buyer: CompanyDetails, day: date) -> Tax:
    """The tax on a sale to a company on a day, by the two addresses and the company's VAT number."""
    return tax_position(territory_of(seller, day), territory_of(buyer, day), buyer.vat_number, day)


def _issuer(vat_number: str | None) -> str | None:
    """The country of a VAT number, by its prefix. XI is no member state: Northern Ireland is in the VAT area for goods
    only."""
    prefix = (as_printed(compact_identifier, vat_number) or "").strip()[:2].upper()
    return _PREFIX_OF_GREECE.get(prefix, prefix) or None
