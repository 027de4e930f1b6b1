"""What the operator's commands share: the choice of a stack, and the names of its resources."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from typing import Any

from billing.payments.gateway import Merchant
from billing.payments.stripe_gateway import StripePayments
from billing.platform.secrets_manager import Secret
from botocore.session import Session

from local.cloud import CREDENTIALS, Cloud
from local.environment import bare_environment, take_on
from local.settings import REGION, LocalError, names_a_port, settings_from_environment

API_SECRET, WEBHOOK_SECRET = "StripeApiSecret", "StripeSecret"
"""The names in template.yaml of the two secrets with Stripe's keys."""

Resources = dict[str, tuple[str, str]]
"""Type and physical id, by the name in template.yaml."""


class OperatorError(Exception):
    """A command cannot go on. The message tells the operator why."""


def add_stack_options(parser: argparse.ArgumentParser, *, of_a_command: bool = False) -> None:
    """Adds --stack and --local. A program with commands takes both options before and after its command."""
    # An option that is missing after the command must not replace one that was given before it.
    stack, local = (argparse.SUPPRESS, argparse.SUPPRESS) if of_a_command else ("livello", False)
    parser.add_argument("--stack", default=stack, help="the stack's name (livello)")
    parser.add_argument(
        "--local", action="store_true", default=local, help="the stack that make run has started in this checkout"
    )


def use_local_stack() -> None:
    """Directs this process to the stack of the checkout's last `make run`, or to the ports in the environment.

    Prints the stack's address on stderr. Removes every setting of another AWS or of a proxy from the environment.
    Raises LocalError if no port is given and the stack of this checkout does not run.
    """
    settings = settings_from_environment()
    if not names_a_port(os.environ) and Cloud.of(settings).running_port() != settings.cloud_port:
        raise LocalError(
            "No stack of this checkout runs: make run starts one. For another one, name its LIVELLO_… ports."
        )
    sys.stderr.write(f"The local stack at {settings.address}, its AWS at {settings.cloud_address}.\n")
    take_on(
        {
            **bare_environment(),
            **{name: os.environ[name] for name in ("HOME", "TMPDIR", "COLUMNS") if name in os.environ},
            "AWS_ENDPOINT_URL": settings.cloud_address,
            "STRIPE_API_BASE": settings.stripe_address,
            "AWS_ACCESS_KEY_ID": CREDENTIALS,
            "AWS_SECRET_ACCESS_KEY": CREDENTIALS,
            "AWS_DEFAULT_REGION": REGION,
        }
    )


def payment_secret(resources: Resources, session: Session) -> Secret:
    """The secret with Stripe's API keys; until it is split, they are in the webhook's."""
    return Secret(resources[API_SECRET][1], session, Secret(resources[WEBHOOK_SECRET][1], session))


def stripe_payments(
    resources: Resources, session: Session, require_merchant: Callable[[Merchant], None]
) -> StripePayments:
    """Stripe, with the keys of the stack's secrets. STRIPE_API_BASE replaces Stripe's own address."""
    secret = payment_secret(resources, session)
    return StripePayments(secret.value, os.environ.get("STRIPE_API_BASE") or None, require_merchant)


def stack_resources(stack: str, session: Session) -> Resources:
    """The resources that CloudFormation made for template.yaml. One call per page of the list."""
    formation: Any = session.create_client("cloudformation")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
        for page in pages
        for each in page["StackResourceSummaries"]
    }
