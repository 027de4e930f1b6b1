"""Latency and throughput of the whole local stack through the front door: gateway, authorizer, function and table.

The figures show what a person on this machine notices, and whether a change made it worse. They do not predict AWS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from itertools import count
from statistics import quantiles

from local.api_client import Answer, ApiClient
from local.demo.companies import COMPANIES, DemoCompany
from local.deployment import stack_outputs
from local.settings import settings_from_environment
from local.stack import Stack

REQUESTS = 200
CLIENTS = (1, 4)
"""Parallel clients. The front door forwards four requests at a time."""

BATCH = 100
"""Events of usage in one request."""

BATCHES = 40

Ask = Callable[[], Answer]


@dataclass(frozen=True, slots=True)
class Load:
    """The requests per second and the latency of one route with some parallel clients."""

    route: str
    clients: int
    per_second: float
    median_milliseconds: float
    p95_milliseconds: float


def running_stack() -> Stack | None:
    """The stack of `make run`; None if it does not run."""
    settings = settings_from_environment()
    try:
        return Stack(settings, stack_outputs(settings))
    except Exception:  # noqa: BLE001 - after any failure there is nothing to measure
        return None


def measured(stack: Stack) -> list[Load]:
    """Two reads of one query each, with a small and a large response, and usage that all adds to one counter."""
    company, api = COMPANIES[0], stack.api
    token = stack.admin_token(company)
    loads: list[Load] = []
    for route in ("/v1/accounts", f"/v1/accounts/{company.account}/billing"):
        read = partial(api.request, "GET", route, token=token)
        loads += [_load(route, read, REQUESTS, clients) for clients in CLIENTS]
    report = partial(_report, api, stack.machine_token(), company, count())
    return loads + [_load(f"/v1/usage, {BATCH} events each", report, BATCHES, clients) for clients in CLIENTS]


def _report(api: ApiClient, token: str, company: DemoCompany, numbers: Iterator[int]) -> Answer:
    now, store = datetime.now(UTC).isoformat(), next(iter(company.stores))
    events = [
        {
            "specversion": "1.0",
            "id": f"{now}-{next(numbers)}",
            "source": "//livello.example/benchmark",
            "type": f"usage.{company.lines[0][0]}",
            "subject": f"{company.account}/{store}",
            "time": now,
            "data": {"quantity": 0},
        }
        for _ in range(BATCH)
    ]
    return api.request("POST", "/v1/usage", token=token, body=events)


def _load(route: str, ask: Ask, requests: int, clients: int) -> Load:
    with ThreadPoolExecutor(clients) as pool:
        # Starts every worker first: cold starts are not measured here.
        [*pool.map(lambda _: _timed(route, ask), range(clients * 2))]
        started = time.perf_counter()
        times = [*pool.map(lambda _: _timed(route, ask), range(requests))]
        seconds = time.perf_counter() - started
    percentiles = quantiles(times, n=100)
    return Load(route, clients, requests / seconds, percentiles[49], percentiles[94])


def _timed(route: str, ask: Ask) -> float:
    started = time.perf_counter()
    answer = ask()
    if answer.status != HTTPStatus.OK:
        raise RuntimeError(f"{route} answers {answer.status}: {answer.body.decode()}")
    return (time.perf_counter() - started) * 1000


def table(loads: list[Load]) -> str:
    """The loads as text."""
    width = max(len(load.route) for load in loads)
    lines = [f"  {'':{width}}  clients  per second  median ms  95 % ms"]
    lines += [
        f"  {load.route:{width}}  {load.clients:7}  {load.per_second:10.0f}  {load.median_milliseconds:9.1f}"
        f"  {load.p95_milliseconds:7.1f}"
        for load in loads
    ]
    return "\n".join(lines)
