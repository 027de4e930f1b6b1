"""VAT territories: where which VAT law applies. A territory is not a country.

Each entry names its source:
- *Directive*: Council Directive 2006/112/EC, consolidated on 14 August 2025. Article 6 names the third territories
  ("territories to which it does not apply"), article 7 the three that are treated as part of a state.
- *Commission*: its page "Territorial status of EU countries and certain territories".
- national law, named at the entry.

Left out, because services at the standard rate are the same there as in the rest of the state: Corsica (CGI, article
297: its rates are for goods and local services) and the Greek islands (VAT code, article 26: the reduced rates are for
suppliers established there). Northern Ireland is in the EU's VAT area for goods only (Windsor Framework, article 8 and
annex 3; Directive (EU) 2020/1756): for services it is the United Kingdom, and the prefix XI is none of a member state.
The Italian waters of Lake Lugano have no address.

An address names a territory by its ISO 3166-1 code or by its postcode. In a pattern `x` matches any digit, and `*` at
the end matches anything. The length must match: 5101 is Ávila's 05101 without its zero, not Ceuta. Of two patterns that
match, the one with more fixed characters wins. `towns` is used only where the address has no postcode, or one that the
territory shares with its neighbours.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from functools import cache
from typing import Protocol

from billing.accounts.information import compact_identifier
from billing.invoicing.vat_rates import STANDARD_RATES, rate_on

_DIRECTIVE = date(2007, 1, 1)
"""The first day of Directive 2006/112/EC, also used for rules that are older."""


@dataclass(frozen=True, slots=True)
class Territory:
    """An area with one VAT law. `state` is the country (ISO 3166-1) whose law applies.

    `in_vat_area` says whether it belongs to the EU's VAT area, `has_vat` whether the state's VAT is charged there.
    `rates` are its own standard rates, in percent with their first days, oldest first; empty where the state's apply.
    """

    name: str
    state: str
    in_vat_area: bool
    has_vat: bool
    rates: tuple[tuple[date, Decimal], ...] = ()

    def rate(self, day: date) -> Decimal:
        """The standard rate on a day, in percent. Raises KeyError outside of the member states."""
        return rate_on(self.rates or STANDARD_RATES[self.state], day)


@dataclass(frozen=True, slots=True)
class TerritoryRule:
    """A territory with its source and the ways an address names it, from the day `since` to before `until`.

    `codes` are ISO 3166-1 codes. `postcodes`, `shared` and `towns` are keyed by the country of the address: patterns of
    the territory's own postcodes, patterns of postcodes it shares with its neighbours, and names of its towns.
    """

    territory: Territory
    source: str
    codes: tuple[str, ...] = ()
    postcodes: Mapping[str, str] = field(default_factory=dict)
    shared: Mapping[str, str] = field(default_factory=dict)
    towns: Mapping[str, str] = field(default_factory=dict)
    since: date = _DIRECTIVE
    until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether the entry applies on a day."""
        return self.since <= day and (self.until is None or day < self.until)


class Address(Protocol):
    """The part of a seller's or a buyer's address that decides its territory."""

    @property
    def country(self) -> str: ...
    @property
    def postcode(self) -> str | None: ...
    @property
    def city(self) -> str: ...


def _part_of(state: str, name: str, *rates: tuple[date, str]) -> Territory:
    return Territory(name, state, in_vat_area=True, has_vat=True, rates=_rates(rates))


def _outside(state: str, name: str) -> Territory:
    return Territory(name, state, in_vat_area=False, has_vat=False)


def _outside_with_vat(state: str, name: str, *rates: tuple[date, str]) -> Territory:
    """Outside of the EU's VAT area, but the state charges its own VAT there."""
    return Territory(name, state, in_vat_area=False, has_vat=True, rates=_rates(rates))


def _rates(rates: tuple[tuple[date, str], ...]) -> tuple[tuple[date, Decimal], ...]:
    return tuple((since, Decimal(rate)) for since, rate in rates)


_OVERSEAS_RATE = (_DIRECTIVE, "8.5")

ENTRIES = (
    # ---- Treated as part of a state ----
    TerritoryRule(
        _part_of("FR", "Monaco"),
        "Directive, article 7",
        codes=("MC",),
        postcodes={"FR": "980xx"},
        towns={"FR": "monaco"},
    ),
    TerritoryRule(
        _part_of("CY", "Akrotiri and Dhekelia"),
        "Directive, article 7; the postcodes are those of the British Forces Post Office",
        postcodes={"GB": "BFPO57 BFPO58 BF12AT BF12AU"},
    ),
    TerritoryRule(
        _outside("GB", "Isle of Man"),
        "Directive, article 7: as the United Kingdom, which left the VAT area on 1 January 2021",
        codes=("IM",),
        postcodes={"GB": "IM*"},
        since=date(2021, 1, 1),
    ),
    # ---- With rates of their own ----
    TerritoryRule(
        _part_of("AT", "Jungholz", (_DIRECTIVE, "19")),
        "UStG 1994, paragraph 10(4); Directive, article 104",
        postcodes={"AT": "6691 87491", "DE": "87491"},
        towns={"AT": "jungholz"},
    ),
    TerritoryRule(
        _part_of("AT", "Mittelberg", (_DIRECTIVE, "19")),
        "UStG 1994, paragraph 10(4); Directive, article 104",
        postcodes={"AT": "6991 6992 6993 87567 87568 87569", "DE": "87567 87568 87569"},
    ),
    TerritoryRule(
        _part_of("PT", "Madeira", (date(2012, 4, 1), "22")),
        "CIVA, article 18(3); Ofício Circulado 25045/2024 of 6 December 2024; Directive, article 105",
        postcodes={"PT": " ".join(f"9{digit}xx 9{digit}xxxxx" for digit in "01234")},
        towns={"PT": "funchal"},
    ),
    TerritoryRule(
        _part_of("PT", "Azores", (date(2021, 7, 1), "16")),
        "CIVA, article 18(3); Decreto Legislativo Regional 15-A/2021/A; Ofício Circulado 25045/2024; "
        "Directive, article 105",
        postcodes={"PT": " ".join(f"9{digit}xx 9{digit}xxxxx" for digit in "56789")},
        towns={"PT": "ponta delgada, angra do heroismo"},
    ),
    # ---- Outside of the EU's VAT area, although in the EU ----
    TerritoryRule(
        _outside("ES", "Canary Islands"),
        "Directive, article 6(1)(b); Ley 37/1992, article 3",
        postcodes={"ES": "35xxx 38xxx"},
        towns={"ES": "las palmas, santa cruz de tenerife"},
    ),
    TerritoryRule(
        _outside("ES", "Ceuta"),
        "Directive, article 6(2)(c); Ley 37/1992, article 3",
        postcodes={"ES": "51xxx"},
        towns={"ES": "ceuta"},
    ),
    TerritoryRule(
        _outside("ES", "Melilla"),
        "Directive, article 6(2)(d); Ley 37/1992, article 3",
        postcodes={"ES": "52xxx"},
        towns={"ES": "melilla"},
    ),
    TerritoryRule(
        _outside("DE", "Büsingen"),
        "Directive, article 6(2)(b); UStG, paragraph 1(2). 8238 is its Swiss postcode",
        postcodes={"DE": "78266 8238"},
        towns={"DE": "büsingen, buesingen"},
    ),
    TerritoryRule(
        _outside("DE", "Heligoland"),
        "Directive, article 6(2)(a); UStG, paragraph 1(2)",
        postcodes={"DE": "27498"},
        towns={"DE": "helgoland, heligoland"},
    ),
    TerritoryRule(
        _outside("IT", "Livigno"),
        "Directive, article 6(2)(e); DPR 633/1972, article 7(1)(a). 23030 was its postcode, and others'",
        postcodes={"IT": "23041"},
        shared={"IT": "23030"},
        towns={"IT": "livigno"},
    ),
    TerritoryRule(
        _outside("IT", "Campione d'Italia"),
        "Directive, article 6(1)(f), in the customs territory since 1 January 2020 (Directive (EU) 2019/475); "
        "DPR 633/1972, article 7(1)(a). 6911 was its Swiss postcode, 22060 is shared with others",
        postcodes={"IT": "22061 6911"},
        shared={"IT": "22060"},
        towns={"IT": "campione d'italia"},
    ),
    TerritoryRule(
        _outside_with_vat("FI", "Åland"),
        "Directive, article 6(1)(d). Finland's law holds for its own sellers: Act 1266/1996; Finnish Tax "
        "Administration, VH/1343/00.01.00/2023 of 26 September 2024",
        codes=("AX",),
        postcodes={"FI": "22xxx"},
        towns={"FI": "mariehamn, maarianhamina"},
    ),
    TerritoryRule(
        _outside("GR", "Mount Athos"),
        "Directive, article 6(1)(a)",
        postcodes={"GR": "63086 63087"},
        towns={"GR": "karyes agiou orous, agion oros, mount athos, άγιον όρος"},
    ),
    TerritoryRule(
        _outside_with_vat("FR", "Guadeloupe", _OVERSEAS_RATE),
        "Directive, article 6(1)(c); CGI, article 296; for services within France BOI-TVA-GEO-20-40",
        codes=("GP",),
        postcodes={"FR": "971xx"},
    ),
    TerritoryRule(
        _outside_with_vat("FR", "Martinique", _OVERSEAS_RATE),
        "Directive, article 6(1)(c); CGI, article 296; for services within France BOI-TVA-GEO-20-40",
        codes=("MQ",),
        postcodes={"FR": "972xx"},
    ),
    TerritoryRule(
        _outside_with_vat("FR", "Réunion", _OVERSEAS_RATE),
        "Directive, article 6(1)(c); CGI, article 296; for services within France BOI-TVA-GEO-20-40",
        codes=("RE",),
        postcodes={"FR": "974xx"},
    ),
    TerritoryRule(
        _outside("FR", "French Guiana"),
        "Directive, article 6(1)(c); CGI, article 294(1)",
        codes=("GF",),
        postcodes={"FR": "973xx"},
    ),
    TerritoryRule(
        _outside("FR", "Mayotte"),
        "Directive, article 6(1)(c); CGI, article 294(1)",
        codes=("YT",),
        postcodes={"FR": "976xx"},
        since=date(2014, 1, 1),
    ),
    TerritoryRule(
        _outside("FR", "Saint-Martin"),
        "Directive, article 6(1)(c); Commission: France / Saint-Martin",
        codes=("MF",),
        postcodes={"FR": "97150 97151 978xx"},
    ),
    TerritoryRule(
        _outside("CY", "Northern Cyprus"),
        "Protocol No 10 to the Act of Accession of 2003; Commission, note 1. The five digits are not the republic's",
        postcodes={"CY": "99xxx"},
    ),
    # ---- Not in the EU, but with a neighbour's or a former postcode ----
    TerritoryRule(
        _outside("BL", "Saint-Barthélemy"),
        "Commission: French overseas territories; European Council Decision 2010/718/EU",
        codes=("BL",),
        postcodes={"FR": "97133 977xx"},
        since=date(2012, 1, 1),
    ),
    TerritoryRule(
        _outside("PM", "Saint-Pierre-et-Miquelon"),
        "Commission: French overseas territories",
        codes=("PM",),
        postcodes={"FR": "975xx"},
    ),
    TerritoryRule(
        _outside("TF", "French Southern Territories"),
        "Commission: French overseas territories",
        codes=("TF",),
        postcodes={"FR": "984xx"},
    ),
    TerritoryRule(
        _outside("WF", "Wallis and Futuna"),
        "Commission: French overseas territories",
        codes=("WF",),
        postcodes={"FR": "986xx"},
    ),
    TerritoryRule(
        _outside("PF", "French Polynesia"),
        "Commission: French overseas territories",
        codes=("PF",),
        postcodes={"FR": "987xx"},
    ),
    TerritoryRule(
        _outside("NC", "New Caledonia"),
        "Commission: French overseas territories",
        codes=("NC",),
        postcodes={"FR": "988xx"},
    ),
    TerritoryRule(
        _outside("SM", "San Marino"),
        "Commission: VAT rules do not apply",
        codes=("SM",),
        postcodes={"IT": "4789x"},
        towns={"IT": "san marino"},
    ),
    TerritoryRule(
        _outside("VA", "Vatican City"),
        "Commission: not named among the territories where VAT rules apply",
        codes=("VA",),
        postcodes={"IT": "00120"},
    ),
    TerritoryRule(
        _outside("FO", "Faroe Islands"),
        "Commission: Denmark / Faroe Islands",
        codes=("FO",),
        postcodes={"DK": "FO*"},
    ),
    TerritoryRule(
        _outside("GL", "Greenland"),
        "Commission: Denmark / Greenland. Its postcodes are of the Danish system",
        codes=("GL",),
        postcodes={"DK": "39xx"},
    ),
)


def territory_of(address: Address, day: date) -> Territory:
    """The territory of an address on a day; by default the whole country."""
    country = address.country
    by_code = (entry.territory for entry in ENTRIES if country in entry.codes and entry.holds(day))
    return next(by_code, None) or _by_place(address, day) or _whole(country)


def _by_place(address: Address, day: date) -> Territory | None:
    postcodes = _readings(address.postcode)
    candidates: list[tuple[int, Territory]] = []
    for entry in ENTRIES:
        if address.country not in entry.postcodes or not entry.holds(day):
            continue
        own, shared = _patterns(entry.postcodes, address.country), _patterns(entry.shared, address.country)
        candidates += [(weight, entry.territory) for weight, pattern in own if any(map(pattern.fullmatch, postcodes))]
        is_undecided = not postcodes or any(pattern.fullmatch(each) for _, pattern in shared for each in postcodes)
        if is_undecided and _is_town(address.city, entry.towns.get(address.country, "")):
            candidates.append((0, entry.territory))
    return max(candidates, key=lambda each: each[0])[1] if candidates else None


def _whole(country: str) -> Territory:
    is_member = country in STANDARD_RATES
    return Territory(country, country, in_vat_area=is_member, has_vat=is_member)


def _readings(postcode: str | None) -> tuple[str, ...]:
    """The possible readings of a postcode: as it is, and the number in FI-22100, F-97110 or 97110 CEDEX 3.

    None without a digit: forms that insist on a postcode get "N/A" or "-".
    """
    try:
        compact = compact_identifier(postcode or "")
    except ValueError:
        return (postcode or "",)
    if not any(each.isdigit() for each in compact):
        return ()
    number = _NUMBER.fullmatch(compact)
    return tuple(filter(None, (compact, number and number[1])))


_NUMBER = re.compile(r"[A-Z]{0,3}([0-9]+)(?:[A-Z].*)?", re.ASCII)


def _patterns(postcodes: Mapping[str, str], country: str) -> tuple[tuple[int, re.Pattern[str]], ...]:
    return tuple(_pattern(each) for each in postcodes.get(country, "").split())


@cache
def _pattern(postcode: str) -> tuple[int, re.Pattern[str]]:
    """The number of fixed characters of a pattern, and its regular expression."""
    fixed = postcode.rstrip("x*")
    rest = ".*" if postcode.endswith("*") else f"[0-9]{{{len(postcode) - len(fixed)}}}"
    return len(fixed), re.compile(fixed + rest, re.ASCII)


def _is_town(city: str, towns: str) -> bool:
    return any(_bare(city).startswith(_bare(town)) for town in filter(None, towns.split(", ")))


def _bare(text: str) -> str:
    """The letters of a text, without accents and in lower case."""
    return "".join(each for each in unicodedata.normalize("NFKD", text).casefold() if each.isalpha())
