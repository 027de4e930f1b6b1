"""The description of an invoice line in the languages of invoices."""

from __future__ import annotations

from collections.abc import Mapping

from billing.invoicing.invoices import InvoiceDraft
from billing.kernel.money import decimal_text
from billing.subscriptions.pricing import InvoiceLine, Step

_WORDS = {
    "en": {
        "up_to": "up to {volume} {unit} per month",
        "open": "{unit} without limit",
        "month": "1 month",
        "months": "{months} months",
        "more": "larger tier: {rest}",
        "less": "smaller tier: {rest}",
        "whole": "Discount on the whole",
        "less_owed": "A tier has changed: less is owed for these months than was invoiced.",
        "in_favour": "This amount is in your favour: it is not to be paid.",
        "term": "Payable within {days} days by bank transfer.",
        "tax": "VAT",
        "seller_tax": "{name}: {amount} {currency}, at the rate of {day} ({source}): {rates}.",
        "thousands": ",",
    },
    "it": {
        "up_to": "fino a {volume} {unit} al mese",
        "open": "{unit} senza limite",
        "month": "1 mese",
        "months": "{months} mesi",
        "more": "fascia superiore: {rest}",
        "less": "fascia inferiore: {rest}",
        "whole": "Sconto sul totale",
        "less_owed": "Una fascia è cambiata: per questi mesi è dovuto meno di quanto fatturato.",
        "in_favour": "Importo a vostro favore: non è da pagare.",
        "term": "Pagamento con bonifico entro {days} giorni.",
        "tax": "IVA",
        "seller_tax": "{name}: {amount} {currency}, al cambio del {day} ({source}): {rates}.",
        "thousands": ".",
    },
}


def describe_line(line: InvoiceLine, language: str) -> str:
    """The description of a line, such as "Search, up to 10,000 searches per month, 3 months"; English by default."""
    words = _WORDS.get(language, _WORDS["en"])
    if line.one_off is not None and line.name:
        pieces = describe_pieces(line)
        return line.name if pieces is None else f"{line.name}, {pieces}"
    if line.product is None:
        reasons = ", ".join(dict.fromkeys(each.reason for step in line.steps for each in step.discounts))
        return f"{words['whole']}: {reasons}" if reasons else words["whole"]
    rest = "; ".join(_step(step, line.unit, words) for step in line.steps)
    return f"{line.name}, {_compared(line, words).format(rest=rest)}" if rest else line.name


def describe_pieces(line: InvoiceLine) -> str | None:
    """The pieces of a one-off charge with their price, such as three times 400.00 EUR; None for one piece."""
    if line.price is None or line.quantity == 1:
        return None
    return f"{line.quantity} \N{MULTIPLICATION SIGN} {decimal_text(line.price)} {line.price.currency}"


def less_owed(language: str) -> str:
    """Why a credit note takes back a part of an invoice: less is owed for the months than was invoiced."""
    return _WORDS.get(language, _WORDS["en"])["less_owed"]


def credit_terms(language: str) -> str:
    """The payment terms of a credit note, whose amount is the customer's."""
    return _WORDS.get(language, _WORDS["en"])["in_favour"]


def payment_terms(days: int, language: str) -> str:
    """The payment terms of an invoice that is paid by bank transfer, in English by default."""
    return _WORDS.get(language, _WORDS["en"])["term"].format(days=days)


def describe_seller_tax(draft: InvoiceDraft, language: str) -> str | None:
    """The tax in the seller's currency with its rate, such as "VAT: 932.55 DKK, at the rate of 2026-06-09 (ECB): 1 EUR
    = 7.4604 DKK."; English by default, None where the draft does not have it. Figures are as they were published.
    """
    tax = draft.seller_tax
    if tax is None:
        return None
    rate, currency = tax.rate, tax.amount.currency
    priced = [(draft.total.currency, rate.invoice_rate), (currency, rate.seller_rate)]
    worth = [f"1 {rate.base}", *(f"{price:f} {each}" for each, price in priced if each != rate.base)]
    words = _WORDS.get(language, _WORDS["en"])
    return words["seller_tax"].format(
        name=draft.tax.name or words["tax"],
        amount=decimal_text(tax.amount),
        currency=currency,
        day=rate.day.isoformat(),
        source=rate.source,
        rates=" = ".join(worth),
    )


def _compared(line: InvoiceLine, words: Mapping[str, str]) -> str:
    """How the tiers of a line compare with those that an earlier invoice has for its months."""
    now, before = (sum(each.price.amount * each.months for each in steps) for steps in (line.steps, line.instead_of))
    if not line.instead_of or now == before:
        return "{rest}"
    return words["more"] if now > before else words["less"]


def _step(step: Step, unit: str, words: dict[str, str]) -> str:
    if step.up_to is None:
        tier = words["open"].format(unit=unit)
    else:
        tier = words["up_to"].format(volume=f"{step.up_to:,}".replace(",", words["thousands"]), unit=unit)
    months = words["month"] if step.months == 1 else words["months"].format(months=step.months)
    return f"{tier}, {months}"
