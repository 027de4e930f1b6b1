"""Who may make a request: a route declares it once; its caller is judged before the request is read (DESIGN 3.4)."""

from collections.abc import Callable, Iterator
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Request
from aws_lambda_powertools.event_handler.depends import Depends, build_dependency_tree

ADMITTED = "admitted"
"""Whether the caller is admitted, in the context of a request to a route that needs an Admission."""


class Judge(Depends):
    """A dependency that says who may make a request. Every route has one, itself or through another (DESIGN 3.4)."""

    def __init__(self, dependency: Callable[[Request], Any]) -> None:
        super().__init__(dependency)

    def judge(self, request: Request) -> None:
        """Raises Unauthenticated, AccountNotFound or Forbidden if the caller may not make this request.

        For a request that cannot be read: what it lacks concerns only those who may make it.
        """
        self.dependency(request)


def judge_caller(api: APIGatewayRestResolver) -> None:
    """Judges the caller of the request that is being answered, unless they are admitted already.

    Raises Unauthenticated, AccountNotFound, Forbidden. One get where the route is one of an account.
    """
    if api.context.get(ADMITTED):
        return
    # The resolver puts the matched route under this key; it has no public name. tests/functions/test_judged_first.py
    # fails if a route's judge is no longer found.
    for judge in judges_of(api.context["_route"].func):
        judge.judge(api.request)


def judges_of(route: Callable[..., Any]) -> Iterator[Judge]:
    """Who judges the callers of a route's function."""
    found = [build_dependency_tree(route)]
    for tree in found:
        for each in tree.dependencies:
            if isinstance(each.depends, Judge):
                yield each.depends
            found.append(each.dependant)
