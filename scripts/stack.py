"""What an operator's commands share: which stack they work on, and what stands in it."""

from __future__ import annotations

import argparse
import os
import sys
from typing import Any

from botocore.session import Session

from local.cloud import CREDENTIALS, Cloud
from local.environment import bare_environment, take_on
from local.settings import REGION, LocalError, are_given, settings_from_environment

Resources = dict[str, tuple[str, str]]
"""Type and physical id, by the name in template.yaml."""


class Failed(Exception):
    """What stands in the way, in words for the operator."""


def add_stack_options(parser: argparse.ArgumentParser, *, of_a_command: bool = False) -> None:
    """Which stack: `stack` and `local`. A program with commands takes them before and after its command."""
    # What a command does not name must not replace what stood before it.
    stack, local = (argparse.SUPPRESS, argparse.SUPPRESS) if of_a_command else ("livello", False)
    parser.add_argument("--stack", default=stack, help="the stack's name (livello)")
    parser.add_argument(
        "--local", action="store_true", default=local, help="the stack that make run has started in this checkout"
    )


def use_local_stack() -> None:
    """The stack of this checkout's last `make run`, or the one whose ports are given. Says which one, on stderr.

    Whatever the environment says of another AWS or of a proxy is forgotten. Raises LocalError if the stack of this
    checkout does not run.
    """
    settings = settings_from_environment()
    if not are_given(os.environ) and Cloud.of(settings).running_port() != settings.cloud_port:
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


def stack_resources(stack: str, session: Session) -> Resources:
    """What CloudFormation has made of template.yaml."""
    formation: Any = session.create_client("cloudformation")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
        for page in pages
        for each in page["StackResourceSummaries"]
    }
