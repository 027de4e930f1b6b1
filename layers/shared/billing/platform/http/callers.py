"""The caller and the time of a request: from API Gateway's verified context, never from what the client sends.

The module has no `from __future__ import annotations`: the resolver would evaluate the texts for every request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends

from billing.kernel.errors import Unauthenticated
from billing.kernel.events import Actor, RequestContext, by_system
from billing.kernel.permissions import MISSING, SECOND_FACTOR, STAFF_GROUP, USAGE_SCOPE, Person, SecondFactorMissing
from billing.platform.clock import advancing, clock_for
from billing.platform.http.judge import Judge


def caller(request: Request) -> Person:
    """The person whose ID token came with the request. Raises Unauthenticated, SecondFactorMissing.

    The gateway has checked the token's signature, age and user pool. Its kind is checked here again: a method without
    scopes must not accept the access token of a machine.
    """
    context: Mapping[str, Any] = request.resolved_event.raw_event.get("requestContext") or {}
    claims: Mapping[str, str] = (context.get("authorizer") or {}).get("claims") or {}
    if claims.get("token_use") != "id" or not claims.get("sub"):
        raise Unauthenticated("This takes the ID token of a person who has logged in.")
    if claims.get(SECOND_FACTOR) == MISSING:
        # Without this, staff with a membership would become one of the account's own people (DESIGN 3.4.3).
        raise SecondFactorMissing
    return Person(user=claims["sub"], staff=STAFF_GROUP in groups_of(claims))


def groups_of(claims: Mapping[str, str]) -> list[str]:
    """The groups in a token. The gateway passes a list as text: "[staff]", "[staff sales]" or "staff,sales"."""
    return claims.get("cognito:groups", "").strip("[]").replace(",", " ").split()


def real_time(request: Request) -> datetime:
    """The instant at which the gateway received the request."""
    context: Mapping[str, Any] = request.resolved_event.raw_event["requestContext"]
    return datetime.fromtimestamp(context["requestTimeEpoch"] / 1000, UTC)


def request_time(request: Request) -> datetime:
    """The time of a request: that of its account's test clock, or the instant at which the gateway received it.

    One get for an account on a clock. Raises ClockAdvancing for a change of its account while the clock advances: the
    change would be made at some time between.
    """
    clock = clock_for((request.path_parameters or {}).get("account"))
    if clock is None:
        return real_time(request)
    if clock.status == "advancing" and request.method not in {"GET", "HEAD"}:
        raise advancing(clock)
    return clock.now


Caller = Annotated[Person, Judge(caller)]


Now = Annotated[datetime, Depends(request_time)]
"""The time of the account in the path. The account in a body asks billing.platform.clock.time_for."""


RealNow = Annotated[datetime, Depends(real_time)]
"""The real time, also for an account on a test clock: for what ends by the wall clock, such as a link."""


def request_context(request: Request, caller: Caller, now: Now) -> RequestContext:
    """The caller, time and request id, which an event records of the request that caused it."""
    context: Mapping[str, Any] = request.resolved_event.raw_event["requestContext"]
    return RequestContext(Actor.of(caller), now, context["requestId"])


def machine_context(request: Request) -> RequestContext:
    """The context of a request by the vendor's product. Raises Unauthenticated for any other caller."""
    context: Mapping[str, Any] = request.resolved_event.raw_event["requestContext"]
    claims: Mapping[str, str] = (context.get("authorizer") or {}).get("claims") or {}
    if claims.get("token_use") != "access" or USAGE_SCOPE not in claims.get("scope", "").split():
        raise Unauthenticated(f"This takes the access token of a machine with the scope {USAGE_SCOPE}.")
    return by_system(request_time(request), context["requestId"])


Context = Annotated[RequestContext, Depends(request_context)]


MachineContext = Annotated[RequestContext, Judge(machine_context)]
