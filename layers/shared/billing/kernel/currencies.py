"""Currencies of ISO 4217 with the digits of their minor unit, and the limits of Stripe for each currency.

Data, not rules. tests/domain/test_reference_data.py compares it with the maintained list, and
tests/local/test_stripe_contract.py with the data of the stand-in for Stripe, which comes from Stripe's pages.
Funds, precious metals and accounting units are not listed, because no bill is paid in them.
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
"""Currencies that Stripe charges cards in (docs.stripe.com/currencies#presentment-currencies)."""

CHARGED_DIGITS: dict[str, int] = {
    **dict.fromkeys("BIF CLP DJF GNF JPY KMF KRW MGA PYG RWF VND VUV XAF XOF XPF".split(), 0),
    "ISK": 2,
    "UGX": 2,
}
"""Digits of Stripe's minor unit where they may differ from ISO 4217: MGA has none at Stripe, ISK and UGX have two
(docs.stripe.com/currencies#zero-decimal and #special-cases)."""

CHARGED_STEP: dict[str, int] = {
    **dict.fromkeys("BHD JOD KWD OMR TND".split(), 10),
    "ISK": 100,
    "UGX": 100,
}
"""An amount in Stripe's minor units must be a multiple of this (docs.stripe.com/currencies#three-decimal)."""

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
"""The smallest charge, in major units, of a Stripe account that is paid out in that currency. Stripe publishes no limit
for other currencies: it refuses the charge (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts)."""

LARGEST_CHARGE_DIGITS: dict[str, int] = {"IDR": 12, "LBP": 12, "COP": 10, "HUF": 10, "JPY": 10, "INR": 9}
LARGEST_CHARGE_DIGITS_OF_OTHERS = 8
"""The most digits of an amount in Stripe's minor units (the same page, and the description of `amount`)."""
