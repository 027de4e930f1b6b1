"""All keys of the one table. No other module builds a key, so this module is the whole key design (DESIGN 6).

| family                      | pk              | sk                                    | gsi1pk, gsi1sk             |
| --------------------------- | --------------- | ------------------------------------- | -------------------------- |
| catalogue versions          | CATALOGUE       | VERSION#000001                        |                            |
| autoscaling settings        | ACCOUNT#account | AUTOSCALING                           |                            |
| autoscaling decisions       | ACCOUNT#account | DECISION#2026-06#product              |                            |
| events that are mailed      | ACCOUNT#account | DELIVERED#ulid                        |                            |
| deliveries (mail)           | ACCOUNT#account | DELIVERY#ulid#recipient               |                            |
| downloads                   | ACCOUNT#account | DOWNLOAD#kind, DOWNLOAD#kind#2026     |                            |
| invoices as issued          | ACCOUNT#account | DOCUMENT#number                       |                            |
| due items                   | ACCOUNT#account | DUE#job                               | DUE#job#shard, instant     |
| erasures under way          | ACCOUNT#account | ERASURE#user                          | DUE#ending#shard, instant  |
| events of an account        | ACCOUNT#account | EVENT#ulid                            |                            |
| events of the catalogue     | CATALOGUE       | EVENT#ulid                            |                            |
| closed one-offs             | ACCOUNT#account | EXTRA#one-off                         |                            |
| exchange rates of a day     | EXCHANGE-RATES  | RATES#2026-06-09                      |                            |
| rates that staff know of    | EXCHANGE-RATES  | RATE-MISSING#2026-06-09#EUR           |                            |
| events of exchange rates    | EXCHANGE-RATES  | EVENT#ulid                            |                            |
| differences in the books    | ACCOUNT#account | FINDING#rule#subject                  | gsi2: FINDINGS, since      |
| invoices, what changes      | ACCOUNT#account | INVOICE#produced on#number            | DUE#collection#shard, …    |
| stopped invoicing           | ACCOUNT#account | HELD                                  | HELD, instant#account      |
| bank statements             | BANK-STATEMENTS | STATEMENT#20261201-digest             |                            |
| events of bank statements   | BANK-STATEMENTS | EVENT#ulid                            |                            |
| bank entries                | BANK-ENTRY#id   | ENTRY                                 | gsi2: BANK-ENTRIES#status  |
| billing page                | ACCOUNT#account | PAGE#ACCOUNT, PAGE#COMPANY            |                            |
| appointment of an admin     | ACCOUNT#account | PAGE#APPOINTMENT                      | DUE#ending#shard, instant  |
| open one-offs               | ACCOUNT#account | PAGE#ONE-OFFS                         |                            |
| running paid period         | ACCOUNT#account | PAGE#PERIOD                           |                            |
| exemptions from tax         | ACCOUNT#account | PAGE#TAX-EXEMPTIONS                   | DUE#ending#shard, instant  |
| change of the term          | ACCOUNT#account | PAGE#TERM                             | DUE#ending#shard, instant  |
| known payers                | ACCOUNT#account | PAYER#digest                          | gsi2: PAYER#digest         |
| closed paid periods         | ACCOUNT#account | PERIOD#contract#0012                  |                            |
| reviews                     | ACCOUNT#account | REVIEW#ulid                           |                            |
| open review                 | ACCOUNT#account | REVIEW-OPEN                           |                            |
| alert states                | ACCOUNT#account | TOLD#subject                          |                            |
| transfers                   | ACCOUNT#account | TRANSFER#20260609-digest-1            |                            |
| suppressed addresses        | ACCOUNT#account | UNDELIVERABLE#address                 |                            |
| users                       | ACCOUNT#account | USER#user                             | USER#user, ACCOUNT#account |
| check of the VAT number     | ACCOUNT#account | PAGE#VAT-CHECK                        | VAT-UNCONFIRMED, since     |
| evidence of an invoice      | ACCOUNT#account | VAT-CHECK#number                      |                            |
| deliveries after a purge    | DELETED#ulid    | DELIVERY#ulid#recipient               |                            |
| credit balance              | ACCOUNT#account | BALANCE                               |                            |
| cancellation                | ACCOUNT#account | CANCELLATION                          |                            |
| purge                       | ACCOUNT#account | PURGE                                 |                            |
| reactivation                | ACCOUNT#account | REACTIVATION                          | DUE#collection#shard, …    |
| open claims                 | RESIDUE#number  | CLAIM                                 | DUE#ending#shard, instant  |
| notes of settled payments   | RESIDUE#object  | NOTE                                  |                            |
| log-ins to delete           | LOG-IN#user     | LEAVING                               | DUE#ending#shard, instant  |
| receipts of purges          | RECEIPTS        | RECEIPT#ulid                          |                            |
| invoice numbers             | NUMBERS         | SERIES#series#2026                    |                            |
| register of numbers         | NUMBERS         | NUMBER#series#2026#000001             |                            |
| comparison of the register  | NUMBERS         | DUE#reconciliation                    | DUE#job#shard, instant     |
| differences in the register | NUMBERS         | FINDING#rule#subject                  | gsi2: FINDINGS, since      |
| booked quarter-hours        | MANAGER#manager | BOOKED#2026-10-20T08:00Z              |                            |
| success managers            | MANAGERS        | MANAGER#manager                       |                            |
| events of success managers  | MANAGERS        | EVENT#ulid                            |                            |
| counters by content         | USAGE#account   | CONTENT#product#2026-06#store#content |                            |
| corrections of usage        | USAGE#account   | CORRECTION#2026-06-09#identity        |                            |
| outages of VIES             | VAT-NUMBERS     | OUTAGE#EL                             |                            |
| our account at Stripe       | PAYMENT-SERVICE | MERCHANT                              |                            |
| rejected usage of a day     | REJECTED-USAGE  | DAY#2026-06-10                        |                            |
| events of rejected usage    | REJECTED-USAGE  | EVENT#ulid                            |                            |
| markers                     | MARKERS#account | MARKER#identity                       |                            |
| tax rates of staff          | TAX-RATES       | TABLE                                 |                            |
| countries staff know of     | TAX-RATES       | RATE-MISSING#CH                       |                            |
| events of tax rates         | TAX-RATES       | EVENT#ulid                            |                            |
| test clocks                 | TEST-CLOCKS     | CLOCK#clock                           |                            |
| events of test clocks       | TEST-CLOCKS     | EVENT#ulid                            |                            |
| counters by product         | USAGE#account   | TOTAL#2026-06#product                 |                            |

Billing page. The page of an account is one query. PAGE items sort directly after the invoices, so a query that reads
backwards from the last PAGE item gives the page and then the newest invoices. No other family of the partition may sort
between INVOICE and PAGE; tests/store/test_keys.py guards this.

Invoices. An invoice or credit note is two items, written in one transaction. DOCUMENT is what it said when it was
issued, and never changes. INVOICE is its summary with its payment: lists, the page and collection read no other. Of
earlier releases, INVOICE holds both, until it is written again. In gsi2, a past due INVOICE is in the list of staff:
PAST-DUE, due on#account#number.

Paid periods. PAGE#PERIOD is the running one: what its fixed months contain, and what was invoiced for them. When the
next period begins, it moves to PERIOD#contract#first month. Each reactivation counts the contract one further.

One-offs. PAGE#ONE-OFFS has the charges and the goodwill of an account that no invoice has yet: an invoice is written
with it, under its version. One that is closed gets an item of its own in the same transaction: EXTRA, with the mark
that says why and the numbers of its invoices. No id is used twice. The family is not called ONE-OFF, which would sort
between INVOICE and PAGE.

Usage. Counters and markers have their own partitions, because there are many of them. One query reads the totals of all
products over several months; one query reads the contents of one product over several months. A marker expires when
its usage event can no longer be reported again.

Rejected usage. A DAY item counts the events that were rejected, by the code that says why, until staff are told.

Due items. A planner queries each shard of the sparse index. DUE items sort by the instant from which the job is due.
The transaction that does the work moves the item to the next instant. Collection has no DUE item: each invoice, each
credit note and each pending reactivation is itself in the index, from the instant of its next look. The DUE#collection
of an earlier release is planned until each unpaid invoice of its account is. While an invoice waits for an exchange
rate, its DUE item is in gsi2 too, in the list of staff: AWAITS-RATE, day#account. So it is while it waits for a tax
rate of staff: AWAITS-TAX, day#account.

Differences. A FINDING item exists while a comparison of the books finds a difference. Staff list them by the second
index, the oldest first. The register of numbers has its own due item, because it belongs to no account.

Numbers. A SERIES item counts the numbers of a series and year, and has the day of the last one. Each number has an
item of its own in the register, written with its invoice and kept after the account is purged. A number of more than
six digits has a letter before it in a key, so that keys sort as numbers do.

Open claims. What stays of a deleted account is in a partition of its own for each document, by its number. CLAIM items
are in both indexes: due in the first one, with the ends of accounts, and in the list of staff in the second one. No key
of theirs names the account, whose id another account may have by then. A NOTE item remembers a payment, a refund or a
dispute by its id at the payment service, for notices that come again or late. It names documents, and expires.

Events. Those of an account sort in the order in which they were recorded. PAGE#ACCOUNT has the id of the last one. The
transaction that records an event moves it on, where another one would only check that the account is there.

Erasures. An ERASURE item exists while a person is erased from the account's record. It has their names and addresses,
and goes with them.

Log-ins that leave. A LEAVING item exists from when a person loses access to an account, until their log-in is deleted
or they are known to have access. It is in a partition of its own, because no account has to be left by then. It is
claimed before the log-in is deleted. A transaction that gives access removes it, and fails if it is claimed.

Log-ins. PAGE#ACCOUNT has an attribute for each of its people who has used the account: `logged_in#user`, the instant
of their first request. It is set beside the body, so it changes no version. It goes with the person. `used_since` is
the instant of the first request of any admin, and stays.

Appointments. PAGE#APPOINTMENT is the newest appointment of an admin by staff. It is in the index while it is open, with
the ends of accounts: the same worker carries it out. PAGE#TERM is the newest change of the contract's term. It is in
the index while it waits for an admin's consent: the same worker ends it when its renewal comes. So is one into another
currency after the run that has begun or ended it, until the renewal notice follows.

Alert states. A TOLD item remembers an alert, or another event that is recorded once, by its subject. The key keeps an
old word for `alert`, because stored keys never change.

Bank entries. An ENTRY item is a booking of the bank, in a partition of its own, because no account is known for it at
first. Its id follows from what the bank says, so it exists once. A PAYER item says that somebody has paid for an
account before, by a digest of their own account at the bank.

Lists of staff. Items of an account carry the keys of the lists that they are in (docs/decisions/0036), beside those
above. In gsi2, but for two:

| list                          | item                | partition                       | sort key                 |
| ----------------------------- | ------------------- | ------------------------------- | ------------------------ |
| accounts by name              | PAGE#ACCOUNT        | ACCOUNTS#shard                  | name#account             |
| those cancelled, deactivated  | PAGE#ACCOUNT        | gsi1: ACCOUNTS#status           | last day#account         |
| accounts by company           | PAGE#COMPANY        | COMPANIES                       | name#account             |
| accounts by VAT number        | PAGE#COMPANY        | gsi1: VAT-NUMBER#number         | ACCOUNT#account          |
| accounts by e-mail address    | PAGE#BILLING, USER  | E-MAIL#address                  | ACCOUNT#account          |
| accounts that cannot pay      | PAGE#PAYMENT-METHOD | METHODS                         | expiry#account           |
| accounts with a pause         | AUTOSCALING         | PAUSED                          | end#account              |
| accounts with an exemption    | PAGE#TAX-EXEMPTIONS | EXEMPTIONS                      | last end#account         |
| documents of a month          | DOCUMENT            | INVOICES#2026-06#shard, CREDIT-NOTES#… | day#number        |
| cancellations                 | CANCELLATION        | CANCELLATIONS                   | instant#account          |
| decisions of a month          | DECISION            | DECISIONS#2026-06#shard         | outcome#account#product  |
| reviews of a success manager  | REVIEW              | REVIEWS#manager                 | begin#account            |

Booked quarter-hours. A success manager gives each quarter of an hour away once (DESIGN 3.2.9). The BOOKED item exists
from the booking of a review until the review is cancelled, or decided before its begin. It expires when its time has
passed. It names the review, and no account.

Test clocks. Accounts on a test clock have a dot in their id. What is due of them is in DUE#clock#clock of the index,
which no planner reads: the clock's own worker reads the items themselves. In each list of staff they are in a partition
of their clock, such as PAST-DUE#clock#q1. So no list, planner or comparison over all accounts meets them.

Exemptions. PAGE#TAX-EXEMPTIONS is read with the page, whose next charge depends on it. It is in the index of due work
from the day on which staff are told of its next end, with the ends of accounts: the same worker looks at it.

VAT numbers. PAGE#VAT-CHECK is read with the page, whose next charge depends on it. It is in the index while VIES has
not confirmed the number and staff have not decided: the list of staff, the longest unconfirmed first.
"""

from __future__ import annotations

import zlib
from datetime import UTC, date, datetime
from string import ascii_uppercase

from billing.kernel.account_ids import clock_of
from billing.kernel.searching import search_text

INDEX = "gsi1"
LIST_INDEX = "gsi2"

ACCOUNTS = "ACCOUNTS"
ALERT = "TOLD#"
AUTOSCALING = "AUTOSCALING"
AWAITS_RATE = "AWAITS-RATE"
AWAITS_TAX = "AWAITS-TAX"
BALANCE = "BALANCE"
BANK_ENTRIES = "BANK-ENTRIES#"
BANK_ENTRY = "BANK-ENTRY#"
BANK_STATEMENTS = "BANK-STATEMENTS"
BOOKED = "BOOKED#"
CANCELLATION = "CANCELLATION"
CANCELLATIONS = "CANCELLATIONS"
CATALOGUE = "CATALOGUE"
CLAIM = "CLAIM"
CLOCK = "CLOCK#"
COMPANIES = "COMPANIES"
CONTENT = "CONTENT#"
CORRECTION = "CORRECTION#"
CREDIT_NOTES = "CREDIT-NOTES"
DAY = "DAY#"
DECISION = "DECISION#"
DECISIONS = "DECISIONS"
DELIVERED = "DELIVERED#"
DELIVERY = "DELIVERY#"
DOCUMENT = "DOCUMENT#"
DOWNLOAD = "DOWNLOAD#"
DUE = "DUE#"
E_MAIL = "E-MAIL#"
ENTRY = "ENTRY"
ERASURE = "ERASURE#"
EVENT = "EVENT#"
EXCHANGE_RATES = "EXCHANGE-RATES"
EXEMPTIONS = "EXEMPTIONS"
EXTRA = "EXTRA#"
FINDING = "FINDING#"
FINDINGS = "FINDINGS"
HELD = "HELD"
LEAVING = "LEAVING"
LOG_IN = "LOG-IN#"
VERSION = "VERSION#"
INVOICE = "INVOICE#"
INVOICES = "INVOICES"
USED_SINCE = "used_since"
"""The attribute of PAGE#ACCOUNT that says when an admin first used the account."""
LOGGED_IN = "logged_in#"
"""The prefix of the attributes of PAGE#ACCOUNT that say when each person first used the account."""
MANAGER = "MANAGER#"
MANAGERS = "MANAGERS"
MARKER = "MARKER#"
METHODS = "METHODS"
NOTE = "NOTE"
NUMBER = "NUMBER#"
MERCHANT = "MERCHANT"
NUMBERS = "NUMBERS"
OPEN_CLAIMS = "OPEN-CLAIMS"
OUTAGE = "OUTAGE#"
PAGE = "PAGE#"
PAST_DUE = "PAST-DUE"
PAUSED = "PAUSED"
PAYER = "PAYER#"
PAYMENT_SERVICE = "PAYMENT-SERVICE"
PERIOD = "PERIOD#"
PURGE = "PURGE"
RATES = "RATES#"
REJECTED_USAGE = "REJECTED-USAGE"
RATE_MISSING = "RATE-MISSING#"
REACTIVATION = "REACTIVATION"
RECEIPT = "RECEIPT#"
RECEIPTS = "RECEIPTS"
RESIDUE = "RESIDUE#"
REVIEW = "REVIEW#"
REVIEWS = "REVIEWS#"
REVIEW_OPEN = "REVIEW-OPEN"
SERIES = "SERIES#"
STATEMENT = "STATEMENT#"
TAX_RATES = "TAX-RATES"
TAX_TABLE = "TABLE"
TEST_CLOCKS = "TEST-CLOCKS"
TOTAL = "TOTAL#"
TRANSFER = "TRANSFER#"
UNDELIVERABLE = "UNDELIVERABLE#"
USER = "USER#"
VAT_CHECK = "VAT-CHECK#"
VAT_NUMBER = "VAT-NUMBER#"
VAT_NUMBERS = "VAT-NUMBERS"
VAT_UNCONFIRMED = "VAT-UNCONFIRMED"

ACCOUNT_FAMILIES = (
    ALERT,
    AUTOSCALING,
    BALANCE,
    CANCELLATION,
    DECISION,
    DELIVERED,
    DELIVERY,
    DOCUMENT,
    DOWNLOAD,
    DUE,
    ERASURE,
    EVENT,
    EXTRA,
    FINDING,
    HELD,
    INVOICE,
    PAGE,
    PAYER,
    PERIOD,
    PURGE,
    REACTIVATION,
    REVIEW,
    REVIEW_OPEN,
    TRANSFER,
    UNDELIVERABLE,
    USER,
    VAT_CHECK,
)
"""The families in the partition of an account."""

USAGE_FAMILIES = (CONTENT, CORRECTION, TOTAL)
"""The families in the usage partition of an account."""

PAGE_ACCOUNT = PAGE + "ACCOUNT"
PAGE_APPOINTMENT = PAGE + "APPOINTMENT"
PAGE_BILLING = PAGE + "BILLING"
PAGE_ONE_OFFS = PAGE + "ONE-OFFS"
PAGE_PAYMENT_METHOD = PAGE + "PAYMENT-METHOD"
PAGE_PERIOD = PAGE + "PERIOD"
PAGE_SUBSCRIPTION = PAGE + "SUBSCRIPTION"
PAGE_TAX_EXEMPTIONS = PAGE + "TAX-EXEMPTIONS"
PAGE_TERM = PAGE + "TERM"
PAGE_VAT_CHECK = PAGE + "VAT-CHECK"
PAGE_ALWAYS = frozenset({PAGE_ACCOUNT, PAGE_SUBSCRIPTION, PAGE + "COMPANY", PAGE_BILLING, PAGE + "CONTACT"})
PAGE_ITEMS = PAGE_ALWAYS | {
    PAGE_APPOINTMENT,
    PAGE_ONE_OFFS,
    PAGE_PAYMENT_METHOD,
    PAGE_PERIOD,
    PAGE_TAX_EXEMPTIONS,
    PAGE_TERM,
    PAGE_VAT_CHECK,
}

_NUMBER_DIGITS = 6
_VERSION_DIGITS = 6

SHARDS = 8
"""Partitions of the index for each job, and for a list that many writes meet in. One partition takes a thousand writes
per second."""

SEARCHED_BYTES = 1000
"""How much of what is compared whole is in a key: more than any address has. DynamoDB takes partition keys of 2048
bytes, and NFKC makes up to eighteen letters of one."""

NAME_BYTES = 48
"""How much of a name sorts a list. DynamoDB takes sort keys of 1024 bytes, a cursor a third of that."""


def account(account: str) -> str:
    """The partition of an account; also its sort key in the index, under each of its users."""
    return f"ACCOUNT#{account}"


def page_information(area: str) -> str:
    """The PAGE item of one area of the billing information, such as PAGE#COMPANY."""
    return f"{PAGE}{area.upper()}"


def usage(account: str) -> str:
    """The partition of an account's usage counters."""
    return f"USAGE#{account}"


def markers(account: str) -> str:
    """The partition of an account's markers."""
    return f"MARKERS#{account}"


def user(user: str) -> str:
    """The sort key of a user in an account, and a partition of the index: the accounts of a user."""
    return f"{USER}{user}"


def transfer(transfer: str) -> str:
    """A transfer that was recorded for an account. The id begins with the day on which the bank booked it."""
    return f"{TRANSFER}{transfer}"


def bank_statement(statement: str) -> str:
    """A bank statement, by its id, which begins with its last day; the newest sorts last."""
    return f"{STATEMENT}{statement}"


def bank_entry(entry: str) -> str:
    """The partition of a bank entry."""
    return f"{BANK_ENTRY}{entry}"


def bank_entries(status: str) -> str:
    """The list of the bank entries in a status, by their ids, which begin with their days."""
    return f"{BANK_ENTRIES}{status}"


def payer(payer: str) -> str:
    """A known payer of an account, and the list of the accounts of a payer; by the digest of the payer's account."""
    return f"{PAYER}{payer}"


def log_in(user: str) -> str:
    """The partition of a log-in that may have to be deleted."""
    return f"{LOG_IN}{user}"


def log_in_of(due: str) -> str | None:
    """The user whose log-in is due to be deleted, from an id of the index of due items; None for anything else."""
    return due.removeprefix(LOG_IN) if due.startswith(LOG_IN) else None


def one_off(one_off: str) -> str:
    """The sort key of a one-off charge or a goodwill that is closed."""
    return f"{EXTRA}{one_off}"


def erasure(user: str) -> str:
    """The erasure of a person from an account's record."""
    return f"{ERASURE}{user}"


def logged_in(user: str) -> str:
    """The attribute of PAGE#ACCOUNT with the instant at which a user first used the account."""
    return f"{LOGGED_IN}{user}"


def success_manager(success_manager: str) -> str:
    """The sort key of a success manager in MANAGERS, and the partition of their booked quarter-hours."""
    return f"{MANAGER}{success_manager}"


def booked_time(success_manager_: str, account: str) -> str:
    """The partition of a success manager's booked quarter-hours. Each test clock has its own: it books nobody's real
    time."""
    return on_clock(success_manager(success_manager_), clock_of(account))


def booked(cell: datetime) -> str:
    """A booked quarter-hour, by its begin."""
    return f"{BOOKED}{instant(cell)}"


def review(review: str) -> str:
    """A review, by its ULID; the newest sorts last."""
    return f"{REVIEW}{review}"


def decision(month: date, product: str) -> str:
    """The autoscaling decision for a product and month; the newest sorts last."""
    return f"{DECISION}{month.isoformat()[:7]}#{product}"


def rejected_usage(day: date) -> str:
    """The count of a day's rejected usage events; earlier days sort first."""
    return f"{DAY}{day.isoformat()}"


def due(job: str) -> str:
    """The due item of a job in an account."""
    return f"{DUE}{job}"


def shard(job: str, number: int) -> str:
    """One of the SHARDS partitions of the index for a job's due items."""
    return f"{DUE}{job}#{number}"


def shard_of(job: str, account: str) -> str:
    """The shard that holds the due item of an account; for one on a test clock, what is due on that clock."""
    clock = clock_of(account)
    return shard(job, zlib.crc32(account.encode()) % SHARDS) if clock is None else due_on(clock)


def due_on(clock: str) -> str:
    """The partition of the index with everything that is due on a test clock, of all jobs."""
    return on_clock(DUE.removesuffix("#"), clock)


def on_clock(partition: str, clock: str | None) -> str:
    """The partition of a list, or of a success manager's booked time, for accounts on a test clock; without one the
    partition itself."""
    return partition if clock is None else f"{partition}#clock#{clock}"


def index_partition(item: str, partition: str) -> str:
    """The partition of an index in which an item is, by the item's own partition. Accounts on a test clock are in
    the lists of their clock, and in those of their users."""
    is_own = partition.startswith((DUE, USER))
    return partition if is_own else on_clock(partition, clock_of(item.removeprefix(account(""))))


def clock(clock: str) -> str:
    """A test clock, by its id."""
    return f"{CLOCK}{clock}"


def accounts_in(status: str) -> str:
    """The list of the accounts in a status. Those that are active are in no list of their own."""
    return f"{ACCOUNTS}#{status}"


def listed_by_name(name: str, account: str) -> str:
    """The place of an account in a list by names."""
    return f"{name_key(name)}#{account}"


def name_key(name: str) -> str:
    """The beginning of a name as lists sort it, whole characters only."""
    return _beginning(search_text(name), NAME_BYTES)


def _beginning(text: str, size: int) -> str:
    return text.encode()[:size].decode(errors="ignore")


def e_mail(address: str) -> str:
    """The list of the accounts of an e-mail address."""
    return f"{E_MAIL}{_beginning(search_text(address), SEARCHED_BYTES)}"


def vat_number(number: str) -> str:
    """The list of the accounts with a VAT number, which has no separators."""
    return f"{VAT_NUMBER}{_beginning(search_text(number), SEARCHED_BYTES)}"


def reviews_of(success_manager: str) -> str:
    """The list of the reviews of a success manager."""
    return f"{REVIEWS}{success_manager}"


def of_month(family: str, month: date) -> str:
    """A list of one month; it has shards."""
    return f"{family}#{month:%Y-%m}"


def list_shards(of: str) -> list[str]:
    """The partitions of a list with shards."""
    return [f"{of}#{number}" for number in range(SHARDS)]


def list_shard(of: str, subject: str) -> str:
    """The partition of a list that holds the entry of a subject."""
    return f"{of}#{zlib.crc32(subject.encode()) % SHARDS}"


def instant(when: datetime) -> str:
    """An instant in UTC, to the minute; earlier instants sort first."""
    return f"{when.astimezone(UTC):%Y-%m-%dT%H:%MZ}"


def undeliverable(email: str) -> str:
    """A suppressed address: it gets no more mail."""
    return f"{UNDELIVERABLE}{email}"


def deleted(event: str) -> str:
    """The partition of the mail about a deletion: the account's own partition is gone by then."""
    return f"DELETED#{event}"


def delivery(event: str, recipient: str) -> str:
    """The delivery of an event's mail to one recipient."""
    return f"{DELIVERY}{event}#{recipient}"


def catalogue_version(version: int) -> str:
    """A version of the catalogue, padded with zeros; the newest sorts last."""
    return f"{VERSION}{version:0{_VERSION_DIGITS}}"


def event(event: str) -> str:
    """An event, by its ULID; the newest sorts last."""
    return f"{EVENT}{event}"


def delivered(event: str) -> str:
    """The note that nothing is left to mail about an event."""
    return f"{DELIVERED}{event}"


def invoice(produced_on: date, number: str) -> str:
    """An invoice, sorted by its day of production, then by number."""
    return f"{INVOICE}{produced_on.isoformat()}{end_of_invoice(number)}"


def end_of_invoice(number: str) -> str:
    """The end of an invoice's key, which its number alone decides."""
    return f"#{_sorted_number(number)}"


def document(number: str) -> str:
    """What an invoice said when it was issued. Its number alone decides the key."""
    return f"{DOCUMENT}{_sorted_number(number)}"


def listed_document(produced_on: date, number: str) -> str:
    """The place of a document in the list of its month."""
    return f"{produced_on.isoformat()}{end_of_invoice(number)}"


def past_due(due_on: date, account: str, number: str) -> str:
    """The place of an invoice in the list of those that are past due, the longest due first."""
    return f"{due_on.isoformat()}#{account}#{number}"


def day_and_number(invoice: str) -> tuple[date, str]:
    """The day of production and the number of an invoice, from its key."""
    produced_on, _, number = invoice.removeprefix(INVOICE).partition("#")
    series, dash, count = number.rpartition("-")
    return date.fromisoformat(produced_on), f"{series}{dash}{count.lstrip(ascii_uppercase)}"


def _sorted_number(number: str) -> str:
    series, dash, count = number.rpartition("-")
    return f"{series}{dash}{_sorted(count)}"


def _sorted(count: str) -> str:
    """The digits of a number, as they sort in a key: A before seven, B before eight, and so on."""
    more = len(count) - _NUMBER_DIGITS
    return count if more <= 0 else f"{chr(ord('A') + more - 1)}{count}"


def period(contract: int, first_month: int) -> str:
    """A closed paid period, by the number of the contract and its first contract month; padded, so that it sorts."""
    return f"{PERIOD}{contract:03}#{first_month:04}"


def finding(rule: str, subject: str) -> str:
    """A difference in the books, by the rule that found it and what it is about."""
    return f"{FINDING}{rule}#{subject}"


def download(kind: str, year: int | None) -> str:
    """The newest download of a kind, or of a kind and year."""
    return f"{DOWNLOAD}{kind}" if year is None else f"{DOWNLOAD}{kind}#{year}"


def vat_evidence(number: str) -> str:
    """What was known of the VAT number when a reverse charge invoice was issued."""
    return f"{VAT_CHECK}{number}"


def outage(country: str, account: str) -> str:
    """A time without answers about the VAT numbers of a member state, in VIES's letters, as an account meets it; a
    test clock has its own, because it has another time."""
    return on_clock(f"{OUTAGE}{country}", clock_of(account))


def rates(day: date) -> str:
    """The exchange rates of a day; the newest sorts last."""
    return f"{RATES}{day.isoformat()}"


def rate_missing(day: date, currency: str, account: str) -> str:
    """That staff were told of a missing rate of a currency, for an account; a test clock has its own."""
    return on_clock(f"{RATE_MISSING}{day.isoformat()}#{currency}", clock_of(account))


def tax_rate_missing(country: str, account: str) -> str:
    """That staff were told of the missing tax rate of a country, for an account; a test clock has its own."""
    return on_clock(f"{RATE_MISSING}{country}", clock_of(account))


def exempt_until(end: date | None, account: str) -> str:
    """The place of an account in the list of those with an exemption, the earliest end first; None for no end."""
    return f"{date.max if end is None else end}#{account}"


def awaits_rate(day: date, account: str) -> str:
    """The place of an account in the list of those that wait for an exchange rate, or for a tax rate, the earliest day
    first."""
    return f"{day.isoformat()}#{account}"


def residue(claim: str) -> str:
    """The partition of an open claim, by its id: the number of a document, or the receipt of a deletion. Also that of
    a note, by the id of an object of the payment service."""
    return f"{RESIDUE}{claim}"


def claim_of(partition: str) -> str | None:
    """The id of the open claim in a partition; None for the partition of anything else, or the id of an account."""
    return partition.removeprefix(RESIDUE) if partition.startswith(RESIDUE) else None


def receipt(receipt: str) -> str:
    """The receipt of a deleted account, by its id (DESIGN 3.7.2)."""
    return f"{RECEIPT}{receipt}"


def series(series: str, year: int) -> str:
    """The counter of invoice numbers in a series and year (DESIGN 3.3.6)."""
    return f"{SERIES}{series}#{year}"


def numbers(series: str, year: int) -> str:
    """The prefix of all numbers of a series and year in the register."""
    return f"{NUMBER}{series}#{year}#"


def number(series: str, year: int, count: int) -> str:
    """The `count`-th number of a series and year in the register."""
    return f"{numbers(series, year)}{_sorted(f'{count:0{_NUMBER_DIGITS}}')}"


def total(month: date, product: str) -> str:
    """The usage counter of a product and month; a month's products sort together."""
    return f"{TOTAL}{month.isoformat()[:7]}#{product}"


def content(product: str, month: date, store: str, content: str | None) -> str:
    """The usage counter of a content, store, product and month. The content comes last, because it may be any text."""
    return f"{CONTENT}{product}#{month.isoformat()[:7]}#{store}#{content or ''}"


def contents(product: str, month: date) -> str:
    """The prefix of all contents of a product and month."""
    return f"{CONTENT}{product}#{month.isoformat()[:7]}#"


def correction(day: date, identity: str) -> str:
    """A correction of the usage of a day; the corrections of the latest day sort last."""
    return f"{corrections(day)}{identity}"


def corrections(day: date) -> str:
    """The prefix of all corrections of a day."""
    return f"{CORRECTION}{day.isoformat()}#"


def marker(identity: str) -> str:
    """The marker of a usage event that is counted."""
    return f"{MARKER}{identity}"


def alert(subject: str) -> str:
    """The alert state of a subject."""
    return f"{ALERT}{subject}"


def after(key: str) -> str:
    """The first possible key after `key`."""
    return f"{key}\0"


def last_listed(within: str) -> str:
    """A key that sorts after all keys of a list that begin with a text, also those with an emoji next."""
    return f"{within}\U0010ffff"


def last_of(family: str) -> str:
    """A key that sorts after all keys of a family."""
    return f"{family}\uffff"
