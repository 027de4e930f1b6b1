"""Every key of the one table. Nothing else builds one, so this page is the whole of the key design.

| family                      | pk              | sk                                    | gsi1pk, gsi1sk             |
| --------------------------- | --------------- | ------------------------------------- | -------------------------- |
| the catalogue's versions    | CATALOGUE       | VERSION#000001                        |                            |
| what staff set for scaling  | ACCOUNT#account | AUTOSCALING                           |                            |
| what scaling decided        | ACCOUNT#account | DECISION#2026-06#product              |                            |
| mail about events           | ACCOUNT#account | DELIVERY#ulid#recipient               |                            |
| files that were asked for   | ACCOUNT#account | DOWNLOAD#kind, DOWNLOAD#kind#2026     |                            |
| when a job is due for it    | ACCOUNT#account | DUE#job                               | DUE#job#shard, instant     |
| an account's events         | ACCOUNT#account | EVENT#ulid                            |                            |
| the catalogue's events      | CATALOGUE       | EVENT#ulid                            |                            |
| an account's invoices       | ACCOUNT#account | INVOICE#produced on#number            | PAST-DUE, due on#account   |
| what its billing page shows | ACCOUNT#account | PAGE#ACCOUNT, PAGE#COMPANY            |                            |
| its reviews                 | ACCOUNT#account | REVIEW#ulid                           |                            |
| the review that is open     | ACCOUNT#account | REVIEW-OPEN                           |                            |
| what it was told once       | ACCOUNT#account | TOLD#subject                          |                            |
| who is not written to       | ACCOUNT#account | UNDELIVERABLE#address                 |                            |
| its people                  | ACCOUNT#account | USER#user                             | USER#user, ACCOUNT#account |
| mail about its deletion     | DELETED#ulid    | DELIVERY#ulid#recipient               |                            |
| what was credited           | ACCOUNT#account | BALANCE                               |                            |
| how it was cancelled        | ACCOUNT#account | CANCELLATION                          |                            |
| that it is being deleted    | ACCOUNT#account | PURGE                                 |                            |
| how it is taken up again    | ACCOUNT#account | REACTIVATION                          |                            |
| receipts of deletions       | RECEIPTS        | RECEIPT#ulid                          |                            |
| numbers of invoices         | NUMBERS         | SERIES#series#2026                    |                            |
| time that a manager gave    | MANAGER#manager | BOOKED#2026-10-20T08:00Z              |                            |
| success managers            | MANAGERS        | MANAGER#manager                       |                            |
| their events                | MANAGERS        | EVENT#ulid                            |                            |
| usage by content and month  | USAGE#account   | CONTENT#product#2026-06#store#content |                            |
| usage that was counted      | MARKERS#account | MARKER#identity                       |                            |
| usage by month              | USAGE#account   | TOTAL#2026-06#product                 |                            |

An account's billing page is one query: its PAGE items sort right behind its invoices, so that reading
backwards from the last of them gives the whole page and then the newest invoices. For that no other family
of this partition may sort between INVOICE and PAGE; tests/store/test_keys.py guards it.
Usage stands in partitions of its own: there are many counters, and more markers. All products' totals of some months
are one query, and so is the content of one product in some months. A marker outlives the time in which its event
may be reported again, and then expires.
A scheduled job finds what is due for it in the sparse index, one query for each shard: DUE items are sorted by the
instant from which they are due, and each is moved on by the write that does what was due.
A success manager gives a quarter of an hour away once: its item is there from the booking of a review until that is
cancelled, or decided before it has begun, and expires when the time has passed. It names the review and no account.
"""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime

INDEX = "gsi1"

AUTOSCALING = "AUTOSCALING"
BALANCE = "BALANCE"
BOOKED = "BOOKED#"
CANCELLATION = "CANCELLATION"
CATALOGUE = "CATALOGUE"
CONTENT = "CONTENT#"
DECISION = "DECISION#"
DELIVERY = "DELIVERY#"
DOWNLOAD = "DOWNLOAD#"
DUE = "DUE#"
EVENT = "EVENT#"
VERSION = "VERSION#"
INVOICE = "INVOICE#"
MANAGER = "MANAGER#"
MANAGERS = "MANAGERS"
MARKER = "MARKER#"
NUMBERS = "NUMBERS"
PAGE = "PAGE#"
PAST_DUE = "PAST-DUE"
PURGE = "PURGE"
REACTIVATION = "REACTIVATION"
RECEIPT = "RECEIPT#"
RECEIPTS = "RECEIPTS"
REVIEW = "REVIEW#"
REVIEW_OPEN = "REVIEW-OPEN"
SERIES = "SERIES#"
TOLD = "TOLD#"
TOTAL = "TOTAL#"
UNDELIVERABLE = "UNDELIVERABLE#"
USER = "USER#"

ACCOUNT_FAMILIES = (
    AUTOSCALING,
    BALANCE,
    CANCELLATION,
    DECISION,
    DELIVERY,
    DOWNLOAD,
    DUE,
    EVENT,
    INVOICE,
    PAGE,
    PURGE,
    REACTIVATION,
    REVIEW,
    REVIEW_OPEN,
    TOLD,
    UNDELIVERABLE,
    USER,
)
"""What stands in an account's own partition."""

USAGE_FAMILIES = (CONTENT, TOTAL)
"""What stands in the partition of an account's usage."""

PAGE_ACCOUNT = PAGE + "ACCOUNT"
PAGE_PAYMENT_METHOD = PAGE + "PAYMENT-METHOD"
PAGE_SUBSCRIPTION = PAGE + "SUBSCRIPTION"
PAGE_ALWAYS = frozenset({PAGE_ACCOUNT, PAGE_SUBSCRIPTION, PAGE + "COMPANY", PAGE + "BILLING", PAGE + "CONTACT"})
PAGE_ITEMS = PAGE_ALWAYS | {PAGE_PAYMENT_METHOD}

_VERSION_DIGITS = 6

SHARDS = 8
"""In which the due items of a job stand: a partition of the index takes a thousand writes a second."""


def account(account: str) -> str:
    """The partition of an account; also where it stands in the index under one of its people."""
    return f"ACCOUNT#{account}"


def page_information(area: str) -> str:
    """One area of the billing information on the billing page."""
    return f"{PAGE}{area.upper()}"


def usage(account: str) -> str:
    """The partition of an account's usage."""
    return f"USAGE#{account}"


def markers(account: str) -> str:
    """The partition of what an account's usage is known again by."""
    return f"MARKERS#{account}"


def user(user: str) -> str:
    """A person, in an account's partition and as a partition of the index."""
    return f"{USER}{user}"


def success_manager(success_manager: str) -> str:
    """A success manager, among all of them and as the partition of the time that they gave away."""
    return f"{MANAGER}{success_manager}"


def booked(cell: datetime) -> str:
    """A quarter of an hour that is given away, by its beginning."""
    return f"{BOOKED}{instant(cell)}"


def review(review: str) -> str:
    """A review, by its ULID, so that the newest sorts last."""
    return f"{REVIEW}{review}"


def decision(month: date, product: str) -> str:
    """What autoscaling decided of a product for a month, so that the newest sorts last."""
    return f"{DECISION}{month.isoformat()[:7]}#{product}"


def due(job: str) -> str:
    """When a job is due for an account."""
    return f"{DUE}{job}"


def shard(job: str, number: int) -> str:
    """One of the SHARDS partitions of the index in which a job's due items stand."""
    return f"{DUE}{job}#{number}"


def shard_of(job: str, account: str) -> str:
    """The one in which an account's stands."""
    return shard(job, zlib.crc32(account.encode()) % SHARDS)


def instant(when: datetime) -> str:
    """An instant, so that earlier ones sort first."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def undeliverable(email: str) -> str:
    """An address that is not written to."""
    return f"{UNDELIVERABLE}{email}"


def deleted(event: str) -> str:
    """The partition of what is left to do when nothing of an account may be written any more."""
    return f"DELETED#{event}"


def delivery(event: str, recipient: str) -> str:
    """The mail about an event to one recipient."""
    return f"{DELIVERY}{event}#{recipient}"


def catalogue_version(version: int) -> str:
    """One version of the catalogue; padded, so that the newest sorts last."""
    return f"{VERSION}{version:0{_VERSION_DIGITS}}"


def event(event: str) -> str:
    """Something that happened, by its ULID, so that the newest sorts last."""
    return f"{EVENT}{event}"


def invoice(produced_on: date, number: str) -> str:
    """An invoice, sorted by the day it was produced, then by number."""
    return f"{INVOICE}{produced_on.isoformat()}#{number}"


def download(kind: str, year: int | None) -> str:
    """The newest file of a kind, and year, that was asked for."""
    return f"{DOWNLOAD}{kind}" if year is None else f"{DOWNLOAD}{kind}#{year}"


def receipt(receipt: str) -> str:
    """What stays of an account, by the id of its receipt."""
    return f"{RECEIPT}{receipt}"


def series(series: str, year: int) -> str:
    """How many numbers of a series are given in a year."""
    return f"{SERIES}{series}#{year}"


def total(month: date, product: str) -> str:
    """A product's usage in one month, so that the months of all products sort together."""
    return f"{TOTAL}{month.isoformat()[:7]}#{product}"


def content(product: str, month: date, store: str, content: str | None) -> str:
    """What one content of one store used of a product in one month. The content comes last: it may be any text."""
    return f"{CONTENT}{product}#{month.isoformat()[:7]}#{store}#{content or ''}"


def contents(product: str, month: date) -> str:
    """The contents of a product in one month, as a family."""
    return f"{CONTENT}{product}#{month.isoformat()[:7]}#"


def marker(identity: str) -> str:
    """Usage that was counted."""
    return f"{MARKER}{identity}"


def alert(subject: str) -> str:
    """What an account was alerted of, by subject."""
    return f"{TOLD}{subject}"


def after(key: str) -> str:
    """The first key that sorts after this one."""
    return f"{key}\0"


def last_of(family: str) -> str:
    """Sorts behind everything of a family."""
    return f"{family}\uffff"
