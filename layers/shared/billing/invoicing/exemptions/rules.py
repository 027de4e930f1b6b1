"""When a customer pays no tax, and the evidence for it (decision 0044).

Directive 2006/112/EC, articles 131 to 166, and Implementing Regulation (EU) 282/2011, article 51: the seller exempts a
sale to an embassy, an international body or armed forces on a certificate, which it keeps with its records.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise

from billing.invoicing.tax import Certificate, Tax, TaxRule, Words
from billing.kernel.contract_calendar import Contract
from billing.kernel.errors import RuleViolation, Violation
from billing.kernel.events import Facts
from billing.kernel.field_codes import FieldCode
from billing.kernel.fields import fields_of
from billing.kernel.schedules import start_of

WARNED_DAYS = 30
"""How long before its end staff are told of an exemption: as long as it takes to get another certificate."""

EXEMPTIONS_MAX = 20

VATEX = (
    "VATEX-EU-79-C",
    "VATEX-EU-132",
    *(f"VATEX-EU-132-1{letter}" for letter in "ABCDEFGHIJKLMNOPQ"),
    "VATEX-EU-135-1",
    "VATEX-EU-143",
    *(f"VATEX-EU-143-1{letter}" for letter in ("A", "B", "C", "D", "E", "F", "FA", "G", "H", "I", "J", "K", "L")),
    "VATEX-EU-144",
    "VATEX-EU-146-1E",
    "VATEX-EU-148",
    *(f"VATEX-EU-148-{letter}" for letter in "ABCDEFG"),
    "VATEX-EU-151",
    *(f"VATEX-EU-151-1{letter}" for letter in ("A", "AA", "B", "C", "D", "E")),
    "VATEX-EU-153",
    "VATEX-EU-159",
    "VATEX-EU-309",
)
"""The Commission's codes of exemptions (CEF VATEX code list, BT-121). Those that say "reverse charge", "not subject"
and the like are other categories, which follow from the addresses."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """An account pays no tax on what begins on `valid_from` or later, and before `valid_until`; None for no end.

    `code` is the reason: one of VATEX for the VAT of a member state, free words elsewhere. `words` are what the invoice
    says.
    """

    code: str
    words: Words
    certificate: Certificate
    valid_from: date
    valid_until: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it holds on a day."""
        return self.valid_from <= day and (self.valid_until is None or day < self.valid_until)


@dataclass(frozen=True, slots=True)
class Exemptions:
    """All exemptions of an account, oldest first, with those that are over. `version` counts the changes, 0 for none.

    Staff need no word about ends up to the day `told_through`.
    """

    entries: tuple[Exemption, ...] = ()
    told_through: date | None = None
    version: int = 0

    def on(self, day: date) -> Exemption | None:
        """The exemption that holds on a day; None where none does."""
        return next((each for each in self.entries if each.holds(day)), None)

    @property
    def ends(self) -> tuple[date, ...]:
        """The first days without an exemption, oldest first: another one may follow without a gap."""
        starts = {each.valid_from for each in self.entries}
        ends = (each.valid_until for each in self.entries if each.valid_until is not None)
        return tuple(each for each in ends if each not in starts)

    @property
    def next_end(self) -> date | None:
        """The end that staff are told of next, None where none follows."""
        return next((each for each in self.ends if self.told_through is None or each > self.told_through), None)

    def warned_at(self, contract: Contract) -> datetime | None:
        """The instant from which staff are to be told of the next end; None where none follows."""
        end = self.next_end
        return None if end is None else start_of(end - timedelta(days=WARNED_DAYS), contract)

    def replaced_by(self, exemptions: Sequence[Exemption], today: date) -> Exemptions:
        """These after a change on the account's day `today`, at the same version: staff hear of each end to come."""
        changed = replace(self, entries=tuple(exemptions))
        told = self.told_through
        is_told = told in changed.ends and not any(each < (told or each) for each in {*changed.ends} - {*self.ends})
        return replace(changed, told_through=told if is_told else today)


NO_EXEMPTIONS = Exemptions()


def exempted(tax: Tax, exemptions: Exemptions, day: date) -> Tax:
    """The tax on a sale to an account with these exemptions. Where nothing is charged anyway, the rule stays."""
    found = exemptions.on(day)
    if found is None or (not tax.rate and tax.rule is not TaxRule.RATE_MISSING):
        return tax
    rule = TaxRule.EXEMPT
    return replace(tax, rule=rule, rate=Decimal(0), words=found.words, code=found.code, certificate=found.certificate)


def check(wanted: Sequence[Exemption], before: Exemptions, first: date, today: date, *, has_vat: bool) -> None:
    """Checks all exemptions of an account, oldest first. `first` is the first day that is not invoiced.

    What has begun before stays as it is, but for its end, which may move to `first` or later. `has_vat` says whether
    the seller charges the VAT of a member state. A certificate is issued by `today`. Raises RuleViolation.
    """
    violations: list[Violation] = []
    for index, each in enumerate(wanted):
        path = ("exemptions", index)
        known = next((other for other in before.entries if replace(other, valid_until=each.valid_until) == each), None)
        if each in before.entries:
            continue
        if has_vat and each.code not in VATEX:
            detail = "The reason is one of the codes of VATEX for exemptions."
            limits = {"allowed": [*VATEX]}
            violations.append(Violation((*path, "code"), detail, FieldCode.NOT_ALLOWED, limits))
        if each.certificate.issued_on > today:
            detail = "The day is in the future: a certificate is recorded when it is there."
            path_of_day = (*path, "certificate", "issued_on")
            violations.append(Violation(path_of_day, detail, FieldCode.TOO_LATE, {"max": today}))
        if known is None and each.valid_from < first:
            detail = f"Invoices are issued for the days before {first}."
            violations.append(Violation((*path, "valid_from"), detail, FieldCode.TOO_EARLY, {"min": first}))
        if known is not None and each.valid_until is not None and each.valid_until < first:
            detail = f"Invoices are issued for the days before {first}."
            violations.append(Violation((*path, "valid_until"), detail, FieldCode.TOO_EARLY, {"min": first}))
        if known is not None and known.valid_until is not None and known.valid_until < first:
            detail = "It has ended, and invoices are issued for the days after it. Give another one."
            violations.append(Violation((*path, "valid_until"), detail, FieldCode.NOT_ALLOWED))
        if each.valid_until is not None and each.valid_until <= each.valid_from:
            detail = "The end must be later than the beginning."
            limit = {"min": each.valid_from + timedelta(days=1)}
            violations.append(Violation((*path, "valid_until"), detail, FieldCode.TOO_EARLY, limit))
    violations += _out_of_order(wanted)
    gone = [
        str(each.valid_from)
        for each in before.entries
        if each.valid_from < first
        and not any(replace(each, valid_until=other.valid_until) == other for other in wanted)
    ]
    if gone:
        detail = f"An exemption that invoices rely on stays: give it an end. Changed or missing: {', '.join(gone)}."
        violations.append(Violation(("exemptions",), detail, FieldCode.MISSING, {"required": gone}))
    if violations:
        raise RuleViolation(*violations)


def _out_of_order(wanted: Sequence[Exemption]) -> list[Violation]:
    found: list[Violation] = []
    for index, (one, following) in enumerate(pairwise(wanted), 1):
        if one.valid_until is None or following.valid_from < one.valid_until:
            path = ("exemptions", index, "valid_from")
            detail = "It begins before the one before it has ended."
            found.append(Violation(path, detail, FieldCode.OVERLAPPING))
    return found


def exemption_facts(exemption: Exemption) -> Facts:
    """An exemption as events have it."""
    return {**fields_of(exemption), "words": dict(exemption.words), "certificate": fields_of(exemption.certificate)}
