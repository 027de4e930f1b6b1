"""What Livello costs at AWS: a month without a customer, and a month of 1,000 accounts.

Counted: the template's alarms, secrets, queues and schedules, and the units that usage, a renewal and a decision of
autoscaling read and write (the benchmarks of the same names, each in a process of its own). Assumed: what an account
does in a month (`ACTIVITY`), and how long functions run. `make aws-limits` writes the tables into docs/deploy.md.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from decimal import Decimal

from benchmarks import held, prices
from benchmarks.prices import Price
from tests.aws_rules import ALARM, MAPPING, SCHEDULE, SECRET, of_type, reads_stream

ACCOUNTS = 1000
HOURS = 730
DAYS = 30
KILOBYTES = 1_000_000
"""Of a gigabyte."""

POLLERS = 5
POLLS_AN_HOUR = 3600 // 20
"""Lambda polls an idle queue by five connections that wait up to 20 seconds each:
https://aws.amazon.com/blogs/compute/understanding-how-aws-lambda-scales-when-subscribed-to-amazon-sqs-queues/"""

PLANNER_SECONDS = Decimal("0.2")
REQUEST_SECONDS = Decimal("0.06")
WORKER_SECONDS = Decimal("0.2")
DOCUMENT_SECONDS = Decimal(2)
"""Assumed: each function has a gigabyte, so a second of one is a GB-second. benchmarks/warm_request.py and documents.py
measure the processor time within it."""

LINE_KILOBYTES = Decimal("0.8")
"""A log line with what Lambda adds of each invocation."""


LISTED_DECISIONS = 5 * 5
"""Units that the index takes of a month's decisions about five products, 4.7 KB each."""


@dataclass(frozen=True, slots=True)
class Activity:
    """What an account of five products does in a month; assumed."""

    usage_events: int = 20_000
    batch: int = 100
    requests: int = 60
    events: int = 12
    mails: int = 6
    invoices: int = 1
    document_kilobytes: int = 120
    stored_kilobytes: int = 400
    people: int = 2
    comparisons: int = DAYS


ACTIVITY = Activity()


@dataclass(frozen=True, slots=True)
class Units:
    """Counted by the benchmarks: write units of a usage event in a batch of a hundred, of a renewal and of a decision;
    read units of a decision and of the billing page."""

    usage_write: float
    renewal_write: float
    decision_write: float
    decision_read: float
    page_read: float


@dataclass(frozen=True, slots=True)
class Line:
    """What is paid for, how much of it, and its price."""

    what: str
    count: Decimal
    price: Price

    @property
    def dollars(self) -> Decimal:
        return self.price.of(self.count)


def counted() -> Units:
    """Runs the three benchmarks that count units. About two seconds."""
    with ThreadPoolExecutor() as pool:
        usage, renewal, decision = pool.map(_counted_alone, ("usage", "invoicing", "scaling"))
    return Units(usage["write"], renewal["write"], decision["write"], decision["read"], renewal["page"])


def _counted_alone(name: str) -> dict[str, float]:
    """The units of one benchmark. They share a process's only AWS session, so each has a process of its own."""
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.costs", name], capture_output=True, text=True, check=True
    )
    units: dict[str, float] = json.loads(finished.stdout)
    return units


def _units_of(name: str) -> dict[str, float]:
    from benchmarks import invoicing, scaling, usage

    scaling.TIMES = 1  # the time does not matter here
    if name == "usage":
        [cost] = usage.measured(1, [each for each in usage.LOADS if (each.events, each.contents) == (100, 5)])
        return {"write": cost.units_per_event}
    if name == "invoicing":
        renewal = invoicing.measured()
        return {"write": renewal.write_units, "page": renewal.read_units(3)}
    decision = scaling.measured()
    return {"write": decision.write_units, "read": decision.read_units}


def runs_a_month(expression: str) -> int:
    """How often a schedule of the template fires. Raises ValueError for a form that it does not use."""
    minutes, hours, *rest = expression.removeprefix("cron(").removesuffix(")").split()
    if rest != ["*", "*", "?", "*"]:
        raise ValueError(expression)
    of_an_hour = 60 // int(minutes.partition("/")[2]) if "/" in minutes else len(minutes.split(","))
    of_a_day = 24 if hours == "*" else len(hours.split(","))
    return of_an_hour * of_a_day * DAYS


def idle() -> list[Line]:
    """A month without a customer. Transforms the template, which takes about two seconds."""
    resources = held.largest()
    queues = [each for each in of_type(resources, MAPPING).values() if not reads_stream(each)]
    alarms = sum(map(held.watched_metrics, of_type(resources, ALARM).values()))
    runs = sum(runs_a_month(each["ScheduleExpression"]) for each in of_type(resources, SCHEDULE).values())
    polls = len(queues) * POLLERS * POLLS_AN_HOUR * HOURS
    return [
        Line("alarms", Decimal(alarms), prices.ALARM),
        Line("secrets", Decimal(len(of_type(resources, SECRET))), prices.SECRET),
        Line("Lambda's polls of idle queues", Decimal(polls), prices.QUEUE_REQUEST),
        Line("runs of the planners", Decimal(runs), prices.LAMBDA_REQUEST),
        Line("their seconds", runs * PLANNER_SECONDS, prices.LAMBDA_SECOND),
        Line("their reads", Decimal(runs), prices.READ_UNIT),
        Line("their log lines", runs * LINE_KILOBYTES / KILOBYTES, prices.LOG),
    ]


def of_accounts(units: Units, activity: Activity = ACTIVITY, accounts: int = ACCOUNTS) -> list[Line]:
    """What a month of so many accounts adds."""
    usage_requests = activity.usage_events // activity.batch
    requests = accounts * (usage_requests + activity.requests)
    # An event is published, and then in two queues on average: notices, and one that acts on it.
    messages = accounts * (2 * activity.events + activity.mails + activity.comparisons + 5)
    documents = accounts * activity.invoices
    written = accounts * (
        Decimal(str(units.usage_write)) * activity.usage_events
        + Decimal(str(units.renewal_write)) * activity.invoices
        + Decimal(str(units.decision_write))
        + 8 * activity.events  # an item, its index and its event, in a transaction
        + 2 * activity.mails
        + 3 * activity.comparisons  # decision 0025
        + activity.events
        + 3 * activity.invoices
        + LISTED_DECISIONS  # the lists of staff, decision 0035
    )
    read = accounts * (
        Decimal(str(units.page_read)) * activity.requests
        + usage_requests
        + Decimal(str(units.decision_read))
        + 8 * activity.comparisons
    )
    seconds = requests * REQUEST_SECONDS + messages * WORKER_SECONDS + documents * DOCUMENT_SECONDS
    logged = (requests + messages) * LINE_KILOBYTES / KILOBYTES
    stored = accounts * Decimal(activity.stored_kilobytes) / KILOBYTES
    files = documents * Decimal(activity.document_kilobytes) / KILOBYTES
    return [
        Line("requests to the API", Decimal(requests), prices.API_REQUEST),
        Line("invocations", Decimal(requests + messages), prices.LAMBDA_REQUEST),
        Line("seconds of functions", seconds, prices.LAMBDA_SECOND),
        Line("units written", written, prices.WRITE_UNIT),
        Line("units read", read, prices.READ_UNIT),
        Line("GB in the table", stored, prices.TABLE_STORAGE),
        Line("events on the bus", Decimal(accounts * activity.events), prices.EVENT),
        Line("messages: sent, received, deleted", Decimal(3 * messages), prices.QUEUE_REQUEST),
        Line("mails", Decimal(accounts * activity.mails), prices.MAIL),
        Line("GB of their attachments", files, prices.MAIL_ATTACHMENT),
        Line("files written", Decimal(3 * documents + accounts * activity.mails), prices.FILE_WRITE),
        Line("GB of logs", logged, prices.LOG),
        Line("tokens of the product, one an hour", Decimal(HOURS), prices.MACHINE_TOKEN),
    ]


def total(lines: Sequence[Line]) -> Decimal:
    """The sum in dollars."""
    return sum((each.dollars for each in lines), Decimal(0))


def table(lines: Sequence[Line]) -> str:
    """The lines as a table of Markdown, the largest first, those below a cent together, and the sum of two regions."""
    cent = Decimal("0.01")
    shown = sorted((each for each in lines if each.dollars >= cent / 2), key=lambda each: -each.dollars)
    rest = [each for each in lines if each.dollars < cent / 2]
    rows = [
        f"| {each.what} | {_quantity(each.count)} | ${each.price.dollars} for {each.price.units:,} | "
        f"{each.dollars:,.2f} |"
        for each in shown
    ]
    if rest:
        rows.append(f"| less than half a cent each: {', '.join(each.what for each in rest)} | | | {total(rest):,.2f} |")
    whole = total(lines)
    return "\n".join(
        [
            f"| a month, {prices.REGION} | quantity | price | $ |",
            "| --- | --- | --- | --- |",
            *rows,
            f"| **sum in {prices.REGION}** | | | **{whole:,.2f}** |",
            f"| sum in eu-south-1, estimated: {prices.MILAN:.2f} times as much | | | {whole * prices.MILAN:,.2f} |",
        ]
    )


def _quantity(count: Decimal) -> str:
    return f"{count:,.0f}" if count >= 10 or count == int(count) else f"{count:,.2f}"


def tables() -> dict[str, str]:
    """The tables of docs/deploy.md, by the name of their place."""
    return {"idle": table(idle()), "accounts": table(of_accounts(counted())), "held": held.table()}


if __name__ == "__main__":
    json.dump(_units_of(sys.argv[1]), sys.stdout)
