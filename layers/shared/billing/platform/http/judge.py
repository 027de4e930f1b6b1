"""Judges of callers: each route declares one, which decides before the request is parsed (DESIGN 3.4.5)."""

from collections.abc import Callable, Iterator
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayRestResolver, Request
from aws_lambda_powertools.event_handler.depends import Depends, build_dependency_tree

ADMITTED = "admitted"
"""The key, in a request's context, of whether the caller was admitted. Set by routes that need an Admission."""


class Judge(Depends):
    """A dependency that decides who may make a request. Every route has one, direct or nested (DESIGN 3.4.5)."""

    def __init__(self, dependency: Callable[[Request], Any]) -> None:
        super().__init__(dependency)

    def judge(self, request: Request) -> None:
        """Raises Unauthenticated, AccountNotFound or Forbidden if the caller may not make this request.

        Called for a request that cannot be parsed: only a permitted caller may learn its errors.
        """
        self.dependency(request)


def judge_caller(api: APIGatewayRestResolver) -> None:
    """Judges the caller of the current request, unless they are admitted already.

    Raises Unauthenticated, AccountNotFound, Forbidden. Costs one get if the route is about an account.
    """
    if api.context.get(ADMITTED):
        return
    # The resolver puts the matched route under this key; it has no public name. tests/functions/test_judged_first.py
    # fails if a route's judge is no longer found.
    for judge in judges_of(api.context["_route"].func):
        judge.judge(api.request)


def judges_of(route: Callable[..., Any]) -> Iterator[Judge]:
    """The judges among the dependencies of a route's function, at any depth."""
    trees = [build_dependency_tree(route)]
    for tree in trees:
        for each in tree.dependencies:
            if isinstance(each.depends, Judge):
                yield each.depends
            trees.append(each.dependant)
