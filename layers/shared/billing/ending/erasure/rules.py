"""What of a record is about a person, and what stays of it when the person is erased (DESIGN 3.8).

A record is JSON. A person is found in it by the id of their log-in, by their addresses and by their names, in every
spelling that Unicode folds together. What stays is "erased person" and a pseudonym: it is random, so it identifies
nobody, and the same in all of the account's record, so who did what can still be told apart.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any

from billing.accounts.information import BillingInformation
from billing.kernel.errors import Conflict

ERASED_NAME = "erased person"
ERASED_DOMAIN = "erased.invalid"
"""A domain that nobody can own (RFC 2606, 2): nothing is ever sent to it."""

ERASED_TEXT = "(A text that named an erased person.)"

WAIT = timedelta(minutes=3)
"""How long an erasure waits before it looks again. A request or a mail that read the person before it began has been
written by then (billing.correspondence.notify, billing.ending.deletion.commands)."""

ALIASES_MAX = 50
"""How many addresses, names and log-ins one person has. More are a fault, and would not fit into the erasure's item."""

_THINGS = frozenset({"contract", "invoice", "lines", "orders", "products", "subscription"})
"""Parts of a record that are about no person: what was sold, and what law wants kept."""

_NAMES_OF_THINGS = frozenset({"account_name", "name", "product", "store", "time_zone", "unit"})
"""Texts that name something else. A company is often called after a person, and keeps its name."""

_WRITTEN_BY_PEOPLE = frozenset({"text", "reason"})
"""Texts of one word that people write. Elsewhere one word is a value that Livello reads again."""

_CODE = re.compile("[a-z_]+")


class NamedInBilling(Conflict):
    """The billing information names the person; what invoices need cannot be erased."""

    code = "named-in-billing-information"


class NamedInAppointment(Conflict):
    """Staff have announced the person as an admin, who is about to come."""

    code = "named-in-appointment"

    def __init__(self) -> None:
        super().__init__("Staff have announced this person as an admin. Object to it first, then erase them.")


class Phase(StrEnum):
    """How far an erasure is: it finds what the person is called, erases items, then mails, waits, and looks again.
    Last are the files of exports."""

    COLLECT = "collect"
    ITEMS = "items"
    MAILS = "mails"
    ITEMS_AGAIN = "items_again"
    MAILS_AGAIN = "mails_again"
    FILES = "files"


@dataclass(frozen=True, slots=True)
class Counts:
    """What an erasure has changed: entries of the record, copies of mails, and files of exports."""

    entries: int = 0
    mails: int = 0
    files: int = 0


@dataclass(frozen=True, slots=True)
class Aliases:
    """What a person is called in a record: log-ins, addresses and names as they are written there."""

    ids: frozenset[str]
    emails: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()

    def found_in(self, value: Any, others: frozenset[str]) -> Aliases:
        """These, with what a part of a record adds. `others` are the log-ins of the present users."""
        found = self
        for person in _people_in(value):
            user, email, name = (_text_of(person, key) for key in ("user", "email", "name"))
            is_other = bool(user) and user not in found.ids
            has_address = normal(email) in {normal(each) for each in found.emails}
            if is_other and not (has_address and user not in others):
                continue
            if user in found.ids or has_address:
                found = found.with_more(user, email, name)
        return found

    def with_more(self, user: str, email: str, name: str) -> Aliases:
        """These and another log-in, address and name; "" adds nothing. At most ALIASES_MAX of each."""
        return Aliases(
            _with(self.ids, user),
            _with(self.emails, email),
            _with(self.names, name),
        )


@dataclass(frozen=True, slots=True)
class Erasure:
    """The erasure of a person from the record of an account.

    `user` is the log-in by which they were named, `pseudonym` what stays of them. `place` is the last thing looked at
    in this `phase`. `collected` are the aliases with which the record was looked through last: when that finds no more,
    it is done. `deleting` are the copies of mails that are counted and may still be there. The erasure goes on when
    `waits_until` has passed.
    """

    account: str
    user: str
    pseudonym: str
    began_at: datetime
    requested_by: tuple[str, str | None]
    correlation: str
    aliases: Aliases
    phase: Phase = Phase.COLLECT
    place: str | None = None
    collected: Aliases | None = None
    deleting: tuple[str, ...] = ()
    waits_until: datetime | None = None
    counts: Counts = Counts()
    version: int = 0

    def after(self, phase: Phase) -> Erasure:
        """The erasure at the beginning of a phase."""
        return replace(self, phase=phase, place=None)


class ErasedPerson:
    """A person to erase, among the `others` who have access to the account.

    `others` are the others' names by their log-ins, `kept` are names of the company: where one of these is written out
    in full, it stays.
    """

    def __init__(self, aliases: Aliases, pseudonym: str, others: Mapping[str, str], kept: Iterable[str] = ()) -> None:
        self._aliases = aliases
        self._pseudonym = pseudonym
        self._email = f"{pseudonym}@{ERASED_DOMAIN}"
        self._others = frozenset(others)
        self._ids = aliases.ids - self._others
        self._emails = {form for each in aliases.emails for form in forms_of_address(each)}
        self._kept = {normal(each) for each in (*others.values(), *kept)}
        self._names = {normal(each) for each in aliases.names} - self._kept - {"", normal(ERASED_NAME)}

    def may_be_in(self, body: str) -> bool:
        """Whether a stored text may be about the person: a quick look that overlooks nobody."""
        folded = normal(re.sub(r"\\[nrtu]", " ", body))
        return any(each in folded for each in self._needles)

    def erased_from(self, value: Any, key: str = "") -> Any:
        """A part of a record without the person. What is not about them stays as it is."""
        if isinstance(value, str):
            return self._text(value, key)
        if isinstance(value, list):
            return [self.erased_from(each, key) for each in value]
        if not isinstance(value, dict) or "address_line_1" in value:
            return value  # a number; or a company, which is no person
        is_them, is_another = self._is(value), _text_of(value, "user") in self._others
        return {
            (self._pseudonym if name in self._ids else name): self._own(name, part)
            if is_them and name in {"user", "name", "email", "phone"}
            else part
            if name in _THINGS or (is_another and name in {"user", "name", "email"})
            else self.erased_from(part, name)
            for name, part in value.items()
        }

    def is_named_in(self, text: str) -> bool:
        """Whether a text names the person by an address, or by a name of several words.

        One word may be a name or not: a mail to "Anna Bianchi" is not about an "Anna".
        """
        return any(each not in self._names or " " in each for each in self._found(text))

    def is_called(self, text: str) -> bool:
        """Whether a text is an address or a name of the person, and nothing else."""
        return normal(text) in self._emails | self._names

    def _is(self, value: Mapping[str, Any]) -> bool:
        user, email, name = (_text_of(value, key) for key in ("user", "email", "name"))
        if user:
            return user in self._ids
        if email:
            return normal(email) in self._emails
        return value.keys() == {"name", "phone"} and normal(name) in self._names  # the contact of a company

    def _own(self, field: str, value: Any) -> Any:
        mine = {"user": self._pseudonym, "name": ERASED_NAME, "email": self._email, "phone": None}
        return None if value is None else mine[field]

    def _text(self, text: str, key: str) -> str:
        found = self._found(text) if text else set[str]()
        by_people = key in _WRITTEN_BY_PEOPLE and _CODE.fullmatch(text) is None
        if key in _NAMES_OF_THINGS or not (by_people or len(text.split()) > 1):
            found -= self._names
        if not found:
            return text

        def instead(match: re.Match[str]) -> str:
            word = normal(match[0])
            if word not in found:
                return match[0]
            if word in self._names:
                return ERASED_NAME
            return self._email if word in self._emails else self._pseudonym

        erased = self._plain.sub(instead, unicodedata.normalize("NFKC", text))
        # A spelling whose letters and their folded forms differ in number is found in the folded text only.
        return ERASED_TEXT if self._found(erased) & found else erased

    @cached_property
    def _needles(self) -> tuple[str, ...]:
        words = {max(each.split(), key=len) for each in self._names}
        is_escaped = any('"' in each or "\\" in each for each in words)
        return ("",) if is_escaped else (*(normal(each) for each in self._ids), *self._emails, *words)

    @cached_property
    def _plain(self) -> re.Pattern[str]:
        return self._pattern(re.IGNORECASE)

    @cached_property
    def _folded(self) -> re.Pattern[str]:
        return self._pattern(0)

    def _pattern(self, flags: int) -> re.Pattern[str]:
        """What names the person, and the names that stay; the longer one first, so that a part never wins."""
        ids = self._ids if flags else {normal(each) for each in self._ids}
        found = [(each, r"(?<![\w.+-])", r"(?![\w-]|\.\w)") for each in self._emails]
        found += [(each, r"(?<![\w-])", r"(?![\w-])") for each in ids]
        found += [(each, r"(?<!\w)", r"(?!\w)") for each in {*self._names, *self._kept} - {""}]
        found.sort(key=lambda each: (-len(each[0]), each[0]))
        spaces = r"\s+"
        alternatives = [f"{before}{spaces.join(map(re.escape, text.split()))}{after}" for text, before, after in found]
        return re.compile("|".join(alternatives) or "(?!)", flags)

    def _found(self, text: str) -> set[str]:
        """What names the person in a text, folded."""
        return {word for each in self._folded.finditer(normal(text)) if (word := each[0]) not in self._kept}


def normal(text: str) -> str:
    """A text for comparison: in Unicode's compatible form, without case, with single spaces (UAX #15; Unicode 5.18)."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(folded.split())


def forms_of_address(email: str) -> set[str]:
    """The forms in which an address is written: its domain as it is read, and in ASCII (RFC 5891)."""
    address = normal(email)
    local, at, domain = address.rpartition("@")
    try:
        return {address, f"{local}{at}{domain.encode('idna').decode()}"}
    except UnicodeError:
        return {address}


def require_not_named(person: ErasedPerson, information: BillingInformation) -> None:
    """Raises NamedInBilling if the person gets the invoices, or is the company's contact."""
    if person.is_called(information.billing.details.email):
        raise NamedInBilling(
            "Invoices are sent to this person. Change the address for invoices first, then erase them."
        )
    if person.is_called(information.contact.details.name):
        raise NamedInBilling("This person is the contact of the company. Name another contact first, then erase them.")


def _people_in(value: Any) -> Iterable[Mapping[str, Any]]:
    """The parts of a record that say who somebody is: with an address, or a log-in."""
    if isinstance(value, list):
        for each in value:
            yield from _people_in(each)
    elif isinstance(value, dict):
        if isinstance(value.get("user"), str) or isinstance(value.get("email"), str):
            yield value
        for each in value.values():
            yield from _people_in(each)


def _text_of(value: Mapping[str, Any], key: str) -> str:
    text = value.get(key)
    return text if isinstance(text, str) else ""


def _with(known: frozenset[str], another: str) -> frozenset[str]:
    return known | {another} if another and len(known) < ALIASES_MAX else known
