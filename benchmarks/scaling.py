"""The cost of autoscaling: processor time of the rule, and of the monthly run of one account."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any, cast

import orjson
from billing.kernel.schedules import Job
from billing.platform.aws_session import aws_session
from billing.platform.dynamodb import keys
from billing.scaling import due_mapping as autoscaling_due_mapping
from billing.scaling.autoscaling import HISTORY_MONTHS, decide
from billing.scaling.due import AutoscalingDue
from billing.scaling.records import AutoscalingStore
from billing.scaling.scale_account import scale_account
from billing.subscriptions import catalogue_mapping
from billing.subscriptions.catalogue import Product, Tier
from billing.usage.rules import month_before, month_of

from benchmarks import billing_page
from benchmarks.answering import answering
from benchmarks.cold_start import ENVIRONMENT

MONTH = date(2026, 7, 1)
NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)
TIMES = 40
MILLION = 1_000_000
LAMBDA_DOLLARS_PER_GB_SECOND = 0.0000133334
"""arm64 in us-east-1, November 2026; a worker has one gigabyte."""

DOLLARS_PER_MILLION_WRITE_UNITS = 0.625
DOLLARS_PER_MILLION_READ_UNITS = 0.125


@dataclass(frozen=True, slots=True)
class Cost:
    """`rule` and `account` are milliseconds of processor time per product and per account; units are of one account."""

    rule: float
    account: float
    products: int
    read_units: float
    write_units: int

    @property
    def accounts_per_second(self) -> float:
        """The accounts that one worker decides per second if it never waits."""
        return 1000 / self.account


def measured() -> Cost:
    """The rule on fifteen months of noisy usage, and the command on a fake table."""
    limits = [Decimal(10_000), Decimal(25_000), None]
    daily = _usage(MONTH)
    rule = milliseconds(lambda: decide(daily, limits, 0, MONTH, date(2025, 1, 1)))
    os.environ.update(ENVIRONMENT)
    answers = _Answers()
    store = AutoscalingStore("billing", answers.client())
    account = milliseconds(
        lambda: scale_account(answers.account, now=NOW, correlation="bench", store=store, taxes=_a_quarter)
    )
    return Cost(rule, account, answers.products, answers.read_units, answers.write_units)


def table(cost: Cost) -> str:
    """The costs as text, also for a million accounts."""
    seconds = MILLION * cost.account / 1000
    dollars = (
        seconds * LAMBDA_DOLLARS_PER_GB_SECOND
        + cost.write_units * DOLLARS_PER_MILLION_WRITE_UNITS
        + cost.read_units * DOLLARS_PER_MILLION_READ_UNITS
    )
    return "\n".join(
        [
            "Autoscaling: processor time",
            f"  the rule, one product                {cost.rule:6.2f} ms",
            f"  a whole account of {cost.products} products       {cost.account:6.2f} ms",
            f"  of it the rule                       {cost.products * cost.rule / cost.account:6.0%}",
            f"  accounts per second and worker       {cost.accounts_per_second:6.0f}",
            f"  an account reads {cost.read_units:.1f} and writes {cost.write_units} units",
            f"  a million accounts take {seconds / 60:.0f} minutes of one worker, {seconds / 600:.0f} of ten",
            f"  and about ${dollars:.0f} of Lambda and DynamoDB",
        ]
    )


def milliseconds(call: Callable[[], object]) -> float:
    """Processor time of a call in milliseconds, averaged over TIMES calls."""
    call()
    started = time.process_time()
    for _ in range(TIMES):
        call()
    return (time.process_time() - started) / TIMES * 1000


def _usage(until: date) -> dict[date, Decimal]:
    chance = Random(1)  # noqa: S311 - no secret
    first = month_before(until, HISTORY_MONTHS)
    return {
        first + timedelta(days): Decimal(str(round(chance.uniform(250, 450), 1)))
        for days in range((until - first).days)
    }


def _a_quarter(_account: str) -> Callable[[date, int], int]:
    return lambda _, net: net // 4


class _Answers:
    """A fake DynamoDB: it always returns the same due account, and ignores writes."""

    def __init__(self) -> None:
        page = billing_page.page_bodies()
        self.account = billing_page.ACCOUNT
        self.products = len(billing_page.PRODUCTS)
        partition = keys.account(self.account)
        page_items = [
            {"pk": {"S": partition}, "sk": {"S": key}, "body": {"S": body}, "version": {"N": "1"}}
            for key, body in (
                *((key, page[key]) for key in (keys.PAGE_ACCOUNT, keys.PAGE_SUBSCRIPTION)),
                (keys.due(Job.AUTOSCALING), autoscaling_due_mapping.due_body(AutoscalingDue(MONTH, {}))),
            )
        ]
        catalogue = {
            "pk": {"S": keys.CATALOGUE},
            "sk": {"S": keys.catalogue_version(4)},
            "body": {"S": catalogue_mapping.catalogue_body(_catalogue())},
        }
        self._catalogue = reply(Responses={"billing": [catalogue]})
        self._state = reply(Responses={"billing": page_items})
        totals = [_total(partition, product, month) for product in billing_page.PRODUCTS for month in _months()]
        self._totals = reply(Items=totals, Count=len(totals))
        self._empty = reply()
        self.read_units = 2 * len(page_items) * 0.5 + 0.5 * len(orjson.dumps(totals)) / 4096
        self.write_units = 0

    def client(self) -> Any:
        session = aws_session()
        session.register("before-send.dynamodb.*", cast("Any", self._answer))
        return session.create_client("dynamodb")

    def _answer(self, request: Any, **_: Any) -> Any:
        operation = request.headers["X-Amz-Target"].decode().partition(".")[2]
        if operation == "TransactWriteItems":
            actions = orjson.loads(request.body)["TransactItems"]
            self.write_units = sum(2 * -(-len(orjson.dumps(each)) // 1024) for each in actions)
            return self._empty(request)
        if operation == "Query":
            return self._totals(request)
        return (self._catalogue if b"VERSION#" in request.body else self._state)(request)


def reply(**body: Any) -> Callable[..., Any]:
    """A handler that answers any request with this body."""
    return cast("Callable[..., Any]", answering(orjson.dumps(body)))


def _catalogue() -> tuple[Product, ...]:
    tiers = tuple(Tier(up_to, {"EUR": up_to}) for up_to in (10_000, 25_000, 50_000))
    return tuple(Product(product, product.title(), "events", tiers) for product in billing_page.PRODUCTS)


def _months() -> list[date]:
    return [month_before(MONTH, back) for back in range(HISTORY_MONTHS, 0, -1)]


def _total(partition: str, product: str, month: date) -> dict[str, Any]:
    days = {f"d{day.day:02}": {"N": str(quantity)} for day, quantity in _usage(MONTH).items() if month_of(day) == month}
    return {"pk": {"S": partition}, "sk": {"S": keys.total(month, product)}, **days}
