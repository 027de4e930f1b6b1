"""Who is asking, and when: read from what API Gateway has verified, never from what the client says.

Annotations here are no texts: the resolver evaluates them for every request.
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends

from billing.kernel.errors import Unauthenticated
from billing.kernel.events import Actor, RequestContext, by_system
from billing.kernel.permissions import STAFF_GROUP, USAGE_SCOPE, Person
from billing.platform.http.judge import Judge


def caller(request: Request) -> Person:
    """The person whose ID token came with the request. Raises Unauthenticated.

    The gateway has checked signature, age and pool. That it is an ID token is checked here again: where a
    method asks for no scope, a machine's access token must open nothing.
    """
    context: Mapping[str, Any] = request.resolved_event.raw_event.get("requestContext") or {}
    claims: Mapping[str, str] = (context.get("authorizer") or {}).get("claims") or {}
    if claims.get("token_use") != "id" or not claims.get("sub"):
        raise Unauthenticated("This takes the ID token of a person who has logged in.")
    # The gateway hands a list over as text: "[staff]", "[staff sales]" or "staff,sales".
    groups = claims.get("cognito:groups", "").strip("[]").replace(",", " ").split()
    return Person(user=claims["sub"], staff=STAFF_GROUP in groups)


def request_time(request: Request) -> datetime:
    """The instant at which the gateway took the request."""
    context: Mapping[str, Any] = request.resolved_event.raw_event["requestContext"]
    return datetime.fromtimestamp(context["requestTimeEpoch"] / 1000, UTC)


Caller = Annotated[Person, Judge(caller)]


Now = Annotated[datetime, Depends(request_time)]


def request_context(request: Request, caller: Caller, now: Now) -> RequestContext:
    """What an event says of the request that made it."""
    context: Mapping[str, Any] = request.resolved_event.raw_event["requestContext"]
    return RequestContext(Actor.of(caller), now, context["requestId"])


def machine_context(request: Request) -> RequestContext:
    """The occasion on which the vendor's product reports usage. Raises Unauthenticated for everybody else."""
    context: Mapping[str, Any] = request.resolved_event.raw_event["requestContext"]
    claims: Mapping[str, str] = (context.get("authorizer") or {}).get("claims") or {}
    if claims.get("token_use") != "access" or USAGE_SCOPE not in claims.get("scope", "").split():
        raise Unauthenticated(f"This takes the access token of a machine with the scope {USAGE_SCOPE}.")
    return by_system(request_time(request), context["requestId"])


Context = Annotated[RequestContext, Depends(request_context)]


MachineContext = Annotated[RequestContext, Judge(machine_context)]
