"""Step 7: what fails becomes a letter, an alarm tells of it, and the operator's command redrives it."""

from __future__ import annotations

import json
from typing import Any, cast

from botocore.session import Session

from scripts.dead_letters import DeadLetter, Operator
from scripts.dead_letters import Queue as LetterQueue
from scripts.smoke.refusals import NotHere, Refused
from scripts.smoke.world import World

LETTER_SECONDS = 600
"""Lambda tries an asynchronous invocation again after one minute, and after two more:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-error-handling.html"""

ALARM_SECONDS = 900
CACHED_SECONDS = 330
"""A function keeps a secret for five minutes (billing/platform/secrets_manager.py)."""

RUBBISH = "sk_test_rubbish"


class _Clients:
    """The clients of the run, as the operator's command takes them from a session."""

    def __init__(self, world: World) -> None:
        self.create_client = world.aws


def _operator(world: World) -> Operator:
    return Operator(world.plan.stack, cast("Session", _Clients(world)))


def _queue(operator: Operator, name: str) -> LetterQueue:
    """The queue of a logical name. Its own name begins with the stack's, and ends with letters of CloudFormation."""
    found = [each for each in operator.queues() if each.name == name or f"-{name}-" in each.name]
    if not found:
        raise Refused(f"There is no queue {name}.", "It is no stack of this release: deploy it again.")
    return found[0]


def _letter(world: World, operator: Operator, queue: LetterQueue, about: str) -> DeadLetter:
    """Waits for the letter with this text in its body, and leaves it in the queue."""
    found: list[DeadLetter] = []

    def came() -> bool:
        letters = list(operator.letters(queue))
        operator.release(letters)
        found.extend(each for each in letters if about in each.message["Body"])
        return bool(found)

    world.eventually(came, LETTER_SECONDS, f"no letter is in {queue.name}", "Look at the log of the function.")
    return found[-1]


def _discard(operator: Operator, queue: LetterQueue, about: str) -> int:
    """Deletes the letters with this text."""
    letters = list(operator.letters(queue))
    mine = [each for each in letters if about in each.message["Body"]]
    operator.release(each for each in letters if each not in mine)
    for each in mine:
        operator.discard(each)
    return len(mine)


def unreadable(world: World) -> str:
    """A message that is no event becomes a letter with its reason."""
    operator, about = _operator(world), f"poison of {world.made.account}"
    queue = _queue(operator, "NoticesDeadLetters")
    world.aws("sqs").send_message(
        QueueUrl=world.output("NoticesUrl"), MessageBody=json.dumps({"detail": {"event": about}})
    )
    letter = _letter(world, operator, queue, about)
    if "no event" not in letter.reason:
        raise Refused(f"The letter has the reason: {letter.reason}", "Paste the JSON file into an issue.")
    return "an unreadable message is a letter with its reason"


def alarm(world: World) -> str:
    """The alarm of that queue rings."""
    if world.is_local:
        _tidy_up(world)
        raise NotHere("the emulated AWS has no alarms")
    name = f"{world.plan.stack}-NoticesDeadLettersWaiting"

    def rings() -> bool:
        pages = world.aws("cloudwatch").get_paginator("describe_alarms").paginate(AlarmNamePrefix=name)
        return any(each["StateValue"] == "ALARM" for page in pages for each in page["MetricAlarms"])

    try:
        world.eventually(
            rings, ALARM_SECONDS, "the alarm of the letters does not ring", "Look at its metric in CloudWatch."
        )
    finally:
        _tidy_up(world)
    return "its alarm rings"


def _tidy_up(world: World) -> None:
    operator = _operator(world)
    _discard(operator, _queue(operator, "NoticesDeadLetters"), f"poison of {world.made.account}")


def planner(world: World) -> str:
    """A planner that raises becomes a letter; redriven it runs again, and is discarded."""
    operator, moment = _operator(world), f"no time, {world.made.account}"
    queue = _queue(operator, "DeadLetters")
    invoked: Any = world.aws("lambda")
    invoked.invoke(
        FunctionName=world.output("PlanEndsName"),
        InvocationType="Event",
        Payload=json.dumps({"time": moment}).encode(),
    )
    first = _letter(world, operator, queue, moment)
    letters = list(operator.letters(queue))
    for each in letters:
        if each.id == first.id:
            operator.redrive(each)
    operator.release(each for each in letters if each.id != first.id)
    again = _letter(world, operator, queue, moment)
    if again.id == first.id:
        raise Refused("The letter was not redriven.", "Another consumer held it for the moment: run it again.")
    _discard(operator, queue, moment)
    return "a planner that raises is a letter, is redriven, and is discarded"


def rubbish_key(world: World) -> str:
    """With a wrong key requests that need Stripe say so; with the right one they work again."""
    world.only_on_aws("the functions keep a key for five minutes, and the demonstration needs it meanwhile")
    if world.stripe is None:
        raise NotHere("no keys of Stripe's test mode were given")
    secrets, arn = world.aws("secretsmanager"), world.output("StripeApiSecretArn")
    keys, path = dict(world.stripe.keys), world.of_account("payment-method/setup")

    def gives(status: int) -> bool:
        return world.ask("POST", path, token=world.made.admin_token, body={}).status == status

    secrets.put_secret_value(SecretId=arn, SecretString=json.dumps({**keys, "api_key": RUBBISH}))
    try:
        world.eventually(
            lambda: gives(502), CACHED_SECONDS, "a wrong key is not noticed", "Look at the log of UpdatePaymentMethod."
        )
    finally:
        secrets.put_secret_value(SecretId=arn, SecretString=json.dumps(keys))
    world.eventually(
        lambda: gives(201), CACHED_SECONDS, "the right key does not work again", "Look at the secret StripeApiSecret."
    )
    return "a wrong key gives 502, the right one works again"


CHECKS = (unreadable, alarm, planner, rubbish_key)
