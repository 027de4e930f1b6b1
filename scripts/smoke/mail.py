"""Step 6: mail that is delivered, bounces, and is complained about; the account's addresses are marked."""

from __future__ import annotations

import json

from billing.correspondence.audiences import Delivery

from scripts.smoke.refusals import NotHere, Refused
from scripts.smoke.world import World

MAIL_SECONDS = 180
SIMULATOR = "simulator.amazonses.com"
"""https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator"""

UNVERIFIED = "the sender's domain is not verified yet: put the output DkimRecords into your DNS, and run it again"


def delivered(world: World) -> str:
    """A change is mailed to the admin."""
    _sends(world)
    contact = world.of_account("billing-information/contact")
    before = world.require(200, "GET", contact, token=world.made.admin_token)
    mails = world.mails_to(world.made.admin) if world.mails_to else 0
    world.require(
        200,
        "PUT",
        contact,
        token=world.made.admin_token,
        body={**before.json(), "name": "Ada Mail"},
        headers={"If-Match": before.headers["ETag"] or ""},
    )
    if world.mails_to:
        count = world.mails_to
        world.eventually(
            lambda: count(world.made.admin) > mails, MAIL_SECONDS, "no mail came", "Look for dead letters of Notices."
        )
        return "a change is mailed"
    world.eventually(
        lambda: _reported(world),
        MAIL_SECONDS,
        "SES has reported no mail",
        "Look for dead letters of Notices and MailFeedback, and at the identity of the sender in SES.",
    )
    return "a change is mailed, and SES reports it"


def marked(world: World) -> str:
    """An address that bounces, and one that complains, get no more mail."""
    _sends(world)
    if world.is_local:
        address = world.address("billing")
        _report_bounce(world, address)
        expected = 1
    else:
        for kind in ("bounce", "complaint"):
            body = {"email": f"{kind}+{world.made.account}@{SIMULATOR}", "name": kind.title(), "role": "admin"}
            world.require(200, "PUT", world.of_account("users"), token=world.made.admin_token, body=body)
        expected = 2
    world.eventually(
        lambda: len(_events(world, "address.undeliverable")) >= expected,
        MAIL_SECONDS,
        "the addresses are not marked",
        "Look at the topic MailFeedbackTopic, and for dead letters of MailFeedback.",
    )
    return f"{expected} undeliverable address{'es' * (expected > 1)} marked"


def simulators(world: World) -> str:
    """SES's simulators, which exist at AWS only."""
    world.only_on_aws("SES's mailbox simulators are at AWS; the bounce above is a notice that smoke published")
    return "by SES's own simulators"


def _sends(world: World) -> None:
    if not world.is_local and not world.made.identity_is_verified:
        raise NotHere(UNVERIFIED)


def _report_bounce(world: World, address: str) -> None:
    """Publishes the notice that SES would: the emulated one never does.

    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
    """
    event = _events(world, "billing_information.changed")
    if not event:
        raise Refused("The change is not in the audit log.", "Paste the JSON file into an issue.")
    now = world.now().isoformat(timespec="milliseconds")
    notice = {
        "eventType": "Bounce",
        "bounce": {
            "bounceType": "Permanent",
            "bounceSubType": "General",
            "bouncedRecipients": [{"emailAddress": address}],
            "timestamp": now,
        },
        "mail": {
            "messageId": "smoke",
            "timestamp": now,
            "tags": {
                "livello-account": [world.made.account],
                "livello-event": [event[0]],
                "livello-recipient": [Delivery.digest(event[0], address)],
            },
        },
    }
    world.aws("sns").publish(TopicArn=world.output("MailFeedbackTopicArn"), Message=json.dumps(notice))


def _events(world: World, kind: str) -> list[str]:
    answer = world.require(200, "GET", world.of_account("events?limit=100"), token=world.made.admin_token)
    return [each["event"] for each in answer.json()["items"] if each["type"] == kind]


def _reported(world: World) -> bool:
    """Whether the worker of SES's reports has logged one of a mail that went out (functions/note_mail_feedback)."""
    group = world.aws("cloudformation").describe_stack_resource(StackName=world.plan.stack, LogicalResourceId="Logs")[
        "StackResourceDetail"
    ]["PhysicalResourceId"]
    pages = (
        world.aws("logs")
        .get_paginator("filter_log_events")
        .paginate(logGroupName=group, filterPattern='{ $.message = "feedback" && $.fate = "sent" }')
    )
    return any(page["events"] for page in pages)


CHECKS = (delivered, marked, simulators)
