"""Who is asking, and when: read from what API Gateway has verified, never from what the client says.

Annotations here are no texts: the resolver evaluates them for every request.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from aws_lambda_powertools.event_handler import Request
from aws_lambda_powertools.event_handler.depends import Depends

from billing.kernel.errors import Unauthenticated
from billing.kernel.events import Actor, RequestContext, by_system
from billing.kernel.permissions import STAFF_GROUP, USAGE_SCOPE, Person


class Judge(Depends):
    """A dependency that says who may make a request. Every route has one, itself or through another (DESIGN 3.4)."""

    def __init__(self, dependency: Callable[[Request], Any]) -> None:
        super().__init__(dependency)

    def judge(self, request: Request) -> None:
        """Raises Unauthenticated, AccountNotFound or Forbidden if the caller may not make this request.

        For a request that cannot be read: what it lacks concerns only those who may make it.
        """
        self.dependency(request)


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
