"""Media types, and what a client accepts: compared as RFC 9110 says (8.3.1 and 12.5.1), never as texts."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

JSON = "application/json"
CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"

_LIST = re.compile(r'(?:[^,"]|"(?:\\.|[^"\\])*")+')
_PARTS = re.compile(r'(?:[^;"]|"(?:\\.|[^"\\])*")+')
_WEIGHT = re.compile(r"(0(\.\d{0,3})?|1(\.0{0,3})?|\.\d{1,3})", re.ASCII)


@dataclass(frozen=True, slots=True)
class _Range:
    """A media range, such as text/*, and its weight."""

    name: str
    weight: float

    def precision(self, offer: str) -> int:
        """How precisely the range names the offer: 3 by its name, 2 by its type, 1 as anything, 0 not at all."""
        if self.name == offer:
            return 3
        if self.name == f"{offer.partition('/')[0]}/*":
            return 2
        return int(self.name in {"*/*", "*"})  # old Java clients send the single *


def media_type(header: str | None) -> str:
    """The type and subtype of a Content-Type in lower case, without its parameters; empty for none."""
    return (header or "").partition(";")[0].strip().lower()


def is_json(name: str) -> bool:
    """Whether a media type is JSON by its subtype: `json`, or the suffix +json (CloudEvents JSON format, 3.1)."""
    subtype = name.partition("/")[2]
    return subtype == "json" or subtype.endswith("+json")


def elements(header: str | None) -> Iterator[str]:
    """The elements of a header field that is a list (RFC 9110, 5.6.1). A comma within quotes separates nothing."""
    for element in _LIST.findall(header or ""):
        if element.strip():
            yield element.strip()


def parameters(element: str) -> Iterator[tuple[str, str]]:
    """What an element has between its semicolons: names in lower case, with values out of their quotes."""
    for part in _PARTS.findall(element):
        name, _, value = part.partition("=")
        yield name.strip().lower(), value.strip().strip('"')


def preferred(accept: str | None, offers: Sequence[str]) -> str | None:
    """The offer that an Accept header prefers. The earlier one of equals, and None if it accepts none of them.

    No header accepts all. The most precise range decides about an offer, so `text/*;q=0.1, text/csv` prefers CSV.
    """
    ranges = [_range(element) for element in elements(accept)] or [_Range("*/*", 1.0)]
    best, most = None, 0.0
    for offer in offers:
        fitting = max(ranges, key=lambda each: (each.precision(offer), each.weight))
        weight = fitting.weight if fitting.precision(offer) else 0.0
        if weight > most:
            best, most = offer, weight
    return best


def _range(element: str) -> _Range:
    name, *_ = element.partition(";")
    weight = next((value for key, value in parameters(element) if key == "q"), "1")
    # A weight that is none is taken for "not at all": the client meant to say something less than 1.
    return _Range(name.strip().lower(), float(weight) if _WEIGHT.fullmatch(weight) else 0.0)
