"""ISO 4217: the currencies in use and how many digits their minor unit has; and those that Stripe charges, and how.

Data, not rules: tests/domain/test_reference_data.py compares it with the maintained list, and
tests/local/test_stripe_contract.py with what the stand-in for Stripe has of Stripe's pages.
Funds, precious metals and accounting units are left out: nobody pays a bill in them.
"""

from __future__ import annotations

_NONE = """
BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF
"""

_TWO = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY
COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF
IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR
MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG
SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES
WST XCD XCG YER ZAR ZMW ZWG
"""

_THREE = """
BHD IQD JOD KWD LYD OMR TND
"""

MINOR_UNIT_DIGITS: dict[str, int] = {
    **dict.fromkeys(_NONE.split(), 0),
    **dict.fromkeys(_TWO.split(), 2),
    **dict.fromkeys(_THREE.split(), 3),
}

CHARGEABLE = frozenset(
    """
    AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BWP BYN BZD CAD CDF CHF CLP CNY COP CRC
    CVE CZK DJF DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR ISK JMD JOD JPY
    KES KGS KHR KMF KRW KWD KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO
    NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SEK SGD SHP SLE SOS SRD SZL THB TJS TND
    TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VND VUV WST XAF XCD XOF XPF YER ZAR ZMW
    """.split()
)
"""What Stripe charges cards in (docs.stripe.com/currencies#presentment-currencies)."""

CHARGED_DIGITS: dict[str, int] = {
    **dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0),
    "ISK": 2,
    "UGX": 2,
}
"""Digits of Stripe's minor unit where they need not be those of ISO 4217: MGA has none there, ISK and UGX have two
(docs.stripe.com/currencies#zero-decimal and #special-cases)."""

CHARGED_STEP: dict[str, int] = {
    **dict.fromkeys("BHD JOD KWD OMR TND".split(), 10),
    "ISK": 100,
    "UGX": 100,
}
"""What an amount in Stripe's minor units must be a multiple of (docs.stripe.com/currencies#three-decimal)."""

SMALLEST_CHARGE: dict[str, str] = {
    **dict.fromkeys("USD ARS AUD BRL CAD CHF COP EUR IDR ILS INR NZD PHP RUB SGD ZAR".split(), "0.50"),
    **dict.fromkeys("AED MYR PLN RON".split(), "2.00"),
    **dict.fromkeys("NOK SEK".split(), "3.00"),
    **dict.fromkeys("JPY KRW".split(), "50"),
    **dict.fromkeys("MXN THB".split(), "10"),
    "CZK": "15.00",
    "DKK": "2.50",
    "GBP": "0.30",
    "HKD": "4.00",
    "HUF": "175.00",
}
"""The smallest charge, in the currency itself, of an account at Stripe that is paid out in that currency. Others have
none published: there Stripe's own refusal is heeded (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""

LARGEST_CHARGE_DIGITS: dict[str, int] = {"IDR": 12, "LBP": 12, "COP": 10, "HUF": 10, "JPY": 10, "INR": 9}
LARGEST_CHARGE_DIGITS_OF_OTHERS = 8
"""How many digits an amount in Stripe's minor units may have (the same page, and the description of `amount`)."""
