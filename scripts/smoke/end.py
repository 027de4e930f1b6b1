"""Step 8: the admin cancels, the account ends and is deleted; the archive of invoices cannot be."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from botocore.exceptions import ClientError

from scripts.smoke.refusals import NotHere, Refused
from scripts.smoke.world import World

ENDS_SECONDS = 180
EVENING = time(20)
WHY = {"reason": "closing_business", "text": "The end of a smoke test.", "confirmed": True}
LOCKED = ("AccessDenied", "InvalidRequest")
"""How S3 refuses to delete a locked version: https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html"""


def cancelled(world: World) -> str:
    """The admin cancels, staff cannot."""
    path = world.of_account("cancellation")
    preview = world.require(200, "GET", path, token=world.made.admin_token).json()["preview"]
    body = {**WHY, "active_until": preview["active_until"]}
    if "charges" in preview:
        body["charges"] = preview["charges"]
    world.require(403, "POST", path, token=world.made.staff_token, body=body)
    receipt = world.require(201, "POST", path, token=world.made.admin_token, body=body).json()
    world.made.log |= {"active_until": receipt["active_until"], "purge_on": receipt["purge_on"]}
    return f"cancelled to {receipt['active_until']}"


def ended(world: World) -> str:
    """On its day the account is deactivated."""
    _send(world, "active_until")
    page = world.of_account("billing")
    world.eventually(
        lambda: world.require(200, "GET", page, token=world.made.admin_token).json()["status"] == "deactivated",
        ENDS_SECONDS,
        "the account is not deactivated",
        "Look for dead letters of EndsDue.",
    )
    return "deactivated on its day"


def deleted(world: World) -> str:
    """On its day everything of the account is deleted, and a receipt says so."""
    _send(world, "purge_on")
    page = world.of_account("billing")
    world.eventually(
        lambda: world.ask("GET", page, token=world.made.staff_token).status == 404,
        ENDS_SECONDS,
        "the account is not deleted",
        "Look for dead letters of EndsDue.",
    )

    if not world.wait(lambda: not _kinds_left(world), ENDS_SECONDS):
        kinds = ", ".join(_kinds_left(world))
        raise Refused(
            f"Items of the account are left after {ENDS_SECONDS} s: {kinds}.", "Look for dead letters of EndsDue."
        )
    world.made.ended = True
    receipts = world.require(200, "GET", "/deletions?limit=1", token=world.made.staff_token).json()["items"]
    if not receipts:
        raise Refused("No receipt of a deletion is there.", "Paste the JSON file into an issue.")
    return "deleted on its day, with a receipt"


def locked(world: World) -> str:
    """A locked invoice of the archive cannot be deleted."""
    if not world.is_local and not world.plan.archive:
        raise NotHere("an archived invoice, and its bucket, cannot be removed for a year: --archive tries it")
    if not world.made.invoice:
        raise NotHere("step 4 has made no invoice")
    s3, bucket = world.aws("s3"), world.output("InvoiceArchiveName")
    pages = s3.get_paginator("list_object_versions").paginate(Bucket=bucket)
    versions = [
        each for page in pages for each in page.get("Versions", []) if f"/{world.made.invoice}/" in f"/{each['Key']}/"
    ]
    if not versions:
        raise Refused("The archive has no file of the invoice.", "Look for dead letters of EndsDue.")
    try:
        s3.delete_object(Bucket=bucket, Key=versions[0]["Key"], VersionId=versions[0]["VersionId"])
    except ClientError as failure:
        if failure.response["Error"]["Code"] not in LOCKED:
            raise
        return "an archived invoice cannot be deleted"
    raise Refused("S3 deleted an archived invoice.", "Look at ObjectLockConfiguration of the bucket InvoiceArchive.")


def _kinds_left(world: World) -> list[str]:
    """The kinds of the items that the account has in the table: the rest of a key may name a person."""
    found = world.aws("dynamodb").query(
        TableName=world.output("TableName"),
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": {"S": f"ACCOUNT#{world.made.account}"}},
        ConsistentRead=True,
    )
    return sorted({item["sk"]["S"].partition("#")[0] for item in found["Items"]})


def _send(world: World, day: str) -> None:
    """The planner's message as of the evening of that day, which is within it in the account's time zone."""
    at = datetime.combine(date.fromisoformat(world.made.log[day]), EVENING, UTC)
    world.send("EndsDueUrl", max(at, world.now() + timedelta(seconds=1)))


CHECKS = (cancelled, ended, deleted, locked)
