"""What an operator's commands share: which stack they work on, and what stands in it."""

from __future__ import annotations

import argparse
import os
from typing import Any

from botocore.session import Session

from local.cloud import CREDENTIALS, clean_environment
from local.settings import REGION, settings_from_environment

Resources = dict[str, tuple[str, str]]
"""Type and physical id, by the name in template.yaml."""


class Failed(Exception):
    """What stands in the way, in words for the operator."""


def add_stack_options(parser: argparse.ArgumentParser) -> None:
    """Which stack: `stack` and `local`."""
    parser.add_argument("--stack", default="livello", help="the stack's name (livello)")
    parser.add_argument("--local", action="store_true", help="the stack that make run has started")


def use_local_stack() -> None:
    """Whatever the environment says of another AWS or of a proxy: this one stands here. Raises LocalError."""
    settings = settings_from_environment()
    local = {
        **clean_environment(),
        "AWS_ENDPOINT_URL": settings.cloud_address,
        "STRIPE_API_BASE": settings.stripe_address,
        "AWS_ACCESS_KEY_ID": CREDENTIALS,
        "AWS_SECRET_ACCESS_KEY": CREDENTIALS,
        "AWS_DEFAULT_REGION": REGION,
    }
    os.environ.clear()
    os.environ.update(local)


def stack_resources(stack: str, session: Session) -> Resources:
    """What CloudFormation has made of template.yaml."""
    formation: Any = session.create_client("cloudformation")
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
    return {
        each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
        for page in pages
        for each in page["StackResourceSummaries"]
    }
