"""Stripe's currencies, their decimals, and the smallest and largest amounts.

Copied from docs.stripe.com/currencies, not from Livello: a shared table would hide its own mistakes.
tests/local/test_stripe_contract.py compares the two.
"""

from __future__ import annotations

from decimal import Decimal

from local.stripe.answers import invalid

CURRENCIES = frozenset(
    """
    usd aed afn all amd ang aoa ars aud awg azn bam bbd bdt bgn bhd bif bmd bnd bob brl bsd bwp byn bzd cad cdf chf clp
    cny cop crc cve czk djf dkk dop dzd egp etb eur fjd fkp gbp gel gip gmd gnf gtq gyd hkd hnl htg huf idr ils inr isk
    jmd jod jpy kes kgs khr kmf krw kwd kyd kzt lak lbp lkr lrd lsl mad mdl mga mkd mmk mnt mop mur mvr mwk mxn myr mzn
    nad ngn nio nok npr nzd omr pab pen pgk php pkr pln pyg qar ron rsd rub rwf sar sbd scr sek sgd shp sle sos srd std
    szl thb tjs tnd top try ttd twd tzs uah ugx uyu uzs vnd vuv wst xaf xcd xof xpf yer zar zmw
    """.split()
)
"""docs.stripe.com/currencies#presentment-currencies. Those with three decimals are for accounts in some countries."""

NO_DECIMALS = frozenset("bif clp djf gnf jpy kmf krw mga pyg rwf vnd vuv xaf xof xpf".split())
"""docs.stripe.com/currencies#zero-decimal. UGX is listed there too, but #special-cases overrules it."""

WHOLE_HUNDREDS = frozenset({"isk", "ugx"})
"""docs.stripe.com/currencies#special-cases: sent with two decimals, which must be 00."""

THREE_DECIMALS = frozenset({"bhd", "jod", "kwd", "omr", "tnd"})
"""docs.stripe.com/currencies#three-decimal: the last digit must be 0, in refunds too."""

_SMALLEST = {
    **dict.fromkeys("usd ars aud brl cad chf cop eur idr ils inr nzd php rub sgd zar".split(), "0.50"),
    **dict.fromkeys("aed myr pln ron".split(), "2.00"),
    **dict.fromkeys("nok sek".split(), "3.00"),
    **dict.fromkeys("jpy krw".split(), "50"),
    **dict.fromkeys("mxn thb".split(), "10"),
    "bgn": "1.00",
    "czk": "15.00",
    "dkk": "2.50",
    "gbp": "0.30",
    "hkd": "4.00",
    "huf": "175.00",
}
"""docs.stripe.com/currencies#minimum-and-maximum-charge-amounts, for an account that is paid out in that currency."""

_DIGITS = {"idr": 12, "lbp": 12, "cop": 10, "huf": 10, "jpy": 10, "inr": 9}
_DIGITS_OF_OTHERS = 8
"""The same page, and `amount` in the description of POST /v1/payment_intents: "up to eight digits"."""

SEPA_DEBIT_LARGEST = 10_000_00
"""docs.stripe.com/payments/sepa-debit: "a limit of 10,000 EUR each"."""


def decimals(currency: str) -> int:
    """The number of decimals of an amount at Stripe."""
    if currency in NO_DECIMALS:
        return 0
    return 3 if currency in THREE_DECIMALS else 2


def smallest(currency: str) -> int | None:
    """The smallest charge in Stripe's units, None where Stripe publishes none."""
    published = _SMALLEST.get(currency)
    return None if published is None else int(Decimal(published).scaleb(decimals(currency)))


def largest(currency: str) -> int:
    """The largest charge in Stripe's units."""
    return int("9" * _DIGITS.get(currency, _DIGITS_OF_OTHERS))


def amount_text(amount: int, currency: str) -> str:
    """An amount in the form of Stripe's messages, such as 0.50 eur."""
    return f"{Decimal(amount).scaleb(-decimals(currency))} {currency}"


def require_currency(currency: str) -> None:
    """Raises Refused for a currency that Stripe does not charge."""
    if currency not in CURRENCIES:
        supported = ", ".join(sorted(CURRENCIES))
        raise invalid(
            f"Invalid currency: {currency}. Stripe currently supports these currencies: {supported}", param="currency"
        )


def require_step(amount: int, currency: str) -> None:
    """Raises Refused for fractions that a currency does not have."""
    if currency in WHOLE_HUNDREDS and amount % 100:
        raise invalid(
            f"Invalid amount. Currency {currency.upper()} has become effectively zero-decimal and charged amounts must "
            "be evenly divisible by 100. See https://stripe.com/docs/currencies#zero-decimal for more information.",
            param="amount",
        )
    if currency in THREE_DECIMALS and amount % 10:
        raise invalid(
            f"Invalid amount. Amounts in {currency.upper()} must be evenly divisible by 10. See "
            "https://stripe.com/docs/currencies#three-decimal for more information.",
            param="amount",
        )


def require_chargeable(amount: int, currency: str) -> None:
    """Raises Refused for an amount that is too small or too large."""
    least = smallest(currency)
    if least is not None and amount < least:
        raise invalid(
            f"Amount must be at least {amount_text(least, currency)}", code="amount_too_small", param="amount"
        )
    if amount > largest(currency):
        raise invalid(
            f"Amount must be no more than {amount_text(largest(currency), currency)}",
            code="amount_too_large",
            param="amount",
        )
