"""How the whole local stack answers, through the front door: gateway, authorizer, function and table.

It says what a person on this machine notices, and whether a change has made that worse; it says nothing of AWS.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import quantiles

from local.api_client import ApiClient
from local.demo.companies import COMPANIES
from local.deployment import stack_outputs
from local.settings import settings_from_environment
from local.stack import Stack

REQUESTS = 200
CLIENTS = (1, 4)
"""The front door lets four requests through at a time."""


@dataclass(frozen=True, slots=True)
class Load:
    """What some clients at once have seen of one route."""

    route: str
    clients: int
    per_second: float
    median_milliseconds: float
    p95_milliseconds: float


def running_stack() -> Stack | None:
    """The stack of `make run`, if it runs."""
    settings = settings_from_environment()
    try:
        return Stack(settings, stack_outputs(settings))
    except Exception:  # noqa: BLE001 - whatever it is, there is nothing to measure
        return None


def measured(stack: Stack) -> list[Load]:
    """Two reads: one query each, a large and a small answer."""
    company = COMPANIES[0]
    token = stack.admin_token(company)
    routes = ["/v1/accounts", f"/v1/accounts/{company.account}/billing"]
    for route in routes:
        _timed(stack.api, route, token)  # a cold start is another matter
    return [_load(stack.api, route, token, clients) for route in routes for clients in CLIENTS]


def _load(api: ApiClient, route: str, token: str, clients: int) -> Load:
    with ThreadPoolExecutor(clients) as pool:
        [*pool.map(lambda _: _timed(api, route, token), range(clients * 2))]  # starts every worker
        began = time.perf_counter()
        times = [*pool.map(lambda _: _timed(api, route, token), range(REQUESTS))]
        seconds = time.perf_counter() - began
    percentiles = quantiles(times, n=100)
    return Load(route, clients, REQUESTS / seconds, percentiles[49], percentiles[94])


def _timed(api: ApiClient, route: str, token: str) -> float:
    began = time.perf_counter()
    answer = api.request("GET", route, token=token)
    if answer.status != 200:
        raise RuntimeError(f"{route} answers {answer.status}: {answer.body.decode()}")
    return (time.perf_counter() - began) * 1000


def table(loads: list[Load]) -> str:
    """The loads for people."""
    width = max(len(load.route) for load in loads)
    lines = [f"  {'':{width}}  clients  per second  median ms  95 % ms"]
    lines += [
        f"  {load.route:{width}}  {load.clients:7}  {load.per_second:10.0f}  {load.median_milliseconds:9.1f}"
        f"  {load.p95_milliseconds:7.1f}"
        for load in loads
    ]
    return "\n".join(lines)
