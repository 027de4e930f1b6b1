"""Puts the billing page where its distribution serves it. Safe to repeat, and to cut off.

    make portal-deploy                  the stack "livello"
    make portal-deploy STACK=<name>     another one

The files with a digest in their names come first, so the page never names one that is not there; then the page itself.
A page that is open meanwhile goes on with the files of the deployment before, which are kept for KEPT_DAYS. `theme.css`
and `logo.svg` are the vendor's own: they are put there once, and never written over.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from billing.platform.aws_session import aws_session
from botocore.exceptions import BotoCoreError, ClientError

from local.portal_files import MEDIA_TYPES, PageConfiguration, with_configuration
from local.settings import PORTAL
from scripts.stack import OperatorError

KEPT_DAYS = 30
REPLACED = "replaced/"
"""Where an empty object notes each file of an older page. Its age says how long ago the page was replaced: the age of
the file itself says how long ago it was new."""

FOR_EVER = "public, max-age=31536000, immutable"
FOR_A_WHILE = "public, max-age=300"
ASKED_AGAIN = "no-cache"
OF_THE_VENDOR = frozenset({"theme.css", "logo.svg"})
STRIPE_SCRIPT = "https://js.stripe.com/v3/"
"""Stripe's script is loaded from Stripe alone (https://docs.stripe.com/js/including)."""


@dataclass(frozen=True, slots=True)
class Clients:
    """The two services that hold the page."""

    s3: Any
    cloudfront: Any


def configuration(stack: dict[str, Any]) -> PageConfiguration:
    """What the page needs to know of a stack, as DescribeStacks describes it."""
    outputs = _outputs(stack)
    parameters = {each["ParameterKey"]: each["ParameterValue"] for each in stack["Parameters"]}
    return PageConfiguration(
        vendor=parameters["VendorName"],
        client_id=outputs["BillingPageClientId"],
        login=outputs["LogInUrl"],
        stripe_script=STRIPE_SCRIPT,
        stripe_key="",
        support=parameters["ReplyToAddress"] or parameters["SenderAddress"],
    )


def deploy(
    folder: Path, page: PageConfiguration, bucket: str, distribution: str, clients: Clients, now: datetime
) -> str:
    """Puts the built page of `folder` into the bucket, and returns what was done in a line.

    A call for each new file, and five more. Raises OperatorError where nothing is built.
    """
    index = folder / "index.html"
    if not index.exists():
        raise OperatorError("The page is not built: make portal")
    there = _objects(bucket, clients)
    assets = {f"assets/{path.name}": path for path in (folder / "assets").iterdir()}
    new = sorted({*assets} - {*there})
    for key in new:
        _put(bucket, key, assets[key].read_bytes(), FOR_EVER, clients)
    for name in sorted(OF_THE_VENDOR - {*there}):
        _put(bucket, name, (folder / name).read_bytes(), FOR_A_WHILE, clients)
    # The notices of what is in the page, which their licences ask for.
    for path in sorted(folder.glob("*.txt")):
        _put(bucket, path.name, path.read_bytes(), FOR_A_WHILE, clients)
    content = with_configuration(index.read_text(encoding="utf-8"), page).encode()
    _put(bucket, "index.html", content, ASKED_AGAIN, clients)
    clients.cloudfront.create_invalidation(
        DistributionId=distribution,
        InvalidationBatch={"CallerReference": now.isoformat(), "Paths": {"Quantity": 2, "Items": ["/", "/index.html"]}},
    )
    old = _without_old_files(bucket, there, {*assets}, clients, now)
    return f"{len(new)} new files, {len(assets) - len(new)} there before, {len(old)} of older pages deleted"


def _without_old_files(
    bucket: str, there: dict[str, Any], current: set[str], clients: Clients, now: datetime
) -> list[str]:
    """Notes what this page no longer has, and deletes what has been noted for KEPT_DAYS. Returns what was deleted."""
    replaced = {key for key in there if key.startswith("assets/")} - current
    noted = {
        key.removeprefix(REPLACED): each["LastModified"] for key, each in there.items() if key.startswith(REPLACED)
    }
    for key in sorted(replaced - {*noted}):
        clients.s3.put_object(Bucket=bucket, Key=f"{REPLACED}{key}", Body=b"")
    oldest = now - timedelta(days=KEPT_DAYS)
    old = sorted(key for key in replaced if key in noted and noted[key] < oldest)
    for key in old:
        clients.s3.delete_object(Bucket=bucket, Key=key)
    # What is deleted, or part of the page again, is noted no longer: last, so that a deployment cut off here goes on.
    for key in sorted({*noted} - replaced | {*old}):
        clients.s3.delete_object(Bucket=bucket, Key=f"{REPLACED}{key}")
    return old


def _outputs(stack: dict[str, Any]) -> dict[str, str]:
    return {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}


def _page_files(outputs: dict[str, str]) -> str:
    """The bucket of the page. Raises OperatorError for a stack of a laptop."""
    if "PageFilesName" not in outputs:
        raise OperatorError("This stack has no bucket for the page. On your machine, make run serves the page itself.")
    return outputs["PageFilesName"]


def _objects(bucket: str, clients: Clients) -> dict[str, Any]:
    pages = clients.s3.get_paginator("list_objects_v2").paginate(Bucket=bucket)
    return {each["Key"]: each for page in pages for each in page.get("Contents", [])}


def _put(bucket: str, key: str, content: bytes, caching: str, clients: Clients) -> None:
    kind = MEDIA_TYPES[Path(key).suffix]
    clients.s3.put_object(Bucket=bucket, Key=key, Body=content, ContentType=kind, CacheControl=caching)


def main(arguments: Sequence[str] | None = None) -> int:
    """Deploys the page, and prints where it is. Returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.portal_deploy", description=__doc__)
    parser.add_argument("--stack", default="livello", help="the stack's name (livello)")
    options = parser.parse_args(arguments)
    try:
        session = aws_session()
        formation: Any = session.create_client("cloudformation")
        [stack] = formation.describe_stacks(StackName=options.stack)["Stacks"]
        outputs = _outputs(stack)
        bucket = _page_files(outputs)
        clients = Clients(session.create_client("s3"), session.create_client("cloudfront"))
        now = datetime.now(UTC)  # noqa: TID251 - old files go by the real time
        done = deploy(PORTAL, configuration(stack), bucket, outputs["PageId"], clients, now)
    except (OperatorError, BotoCoreError, ClientError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    sys.stdout.write(f"{done}\n{outputs['PageUrl']}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
