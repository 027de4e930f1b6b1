"""Finds what could not be dealt with, says why, and sends it on its way again. docs/dead-letters.md explains it.

It sends a letter to where it came from, and only then deletes it: cut off in between, the letter is there twice, and
whoever consumes it knows it by its event. SQS can move messages by itself, but not those of the stream, and not in the
emulator; one way for all of them is easier to trust.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.domain.events import Event
from billing.gateways.eventbridge_bus import EventBridgeBus
from billing.gateways.ports import EVENTS_MAX
from billing.store.keys import EVENT
from billing.store.mapping import event_from
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session, get_session

from local.cloud import CREDENTIALS
from local.settings import REGION, LocalError, settings_from_environment

PEEK_SECONDS = 30
"""How long letters that are only looked at stay hidden, should this program be cut off."""

WAIT_SECONDS = 1
"""How long to wait for letters. Without waiting, SQS asks some of its servers only."""

LETTERS_MAX = 500
RECEIVED_AT_ONCE = 10
REASON = "reason"
"""The attribute in which our functions say why."""


class Failed(Exception):
    """What stands in the way, in words for the operator."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A queue of dead letters. `source` is where they were before; None for those of the table's stream."""

    name: str
    url: str
    source: str | None


@dataclass(frozen=True, slots=True)
class Letter:
    """A message in one of them, as SQS gives it."""

    queue: Queue
    message: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.message["MessageId"])

    @property
    def content(self) -> dict[str, Any]:
        """What stands in it; empty if it is no JSON object."""
        try:
            content = json.loads(self.message["Body"])
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def reason(self) -> str:
        given = self.message.get("MessageAttributes", {}).get(REASON)
        return str(given["StringValue"]) if given else "It was tried too often."

    def about(self) -> str:
        """What it is about, by ids and keys alone."""
        content = self.content
        if isinstance(detail := content.get("detail"), dict):
            return f"{detail.get('type')} {detail.get('event')} of {detail.get('account')}"
        if "record" in content:
            return f"record {content.get('pk')} {content.get('sk')}"
        if isinstance(batch := content.get("DDBStreamBatchInfo"), dict):
            return f"{batch.get('batchSize')} records of the stream from {batch.get('startSequenceNumber')}"
        if isinstance(mail := content.get("mail"), dict):
            return f"{content.get('eventType')} of mail {mail.get('messageId')}"
        return "unreadable"

    def line(self) -> str:
        sent = datetime.fromtimestamp(int(self.message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        return f"{self.id}  {sent.isoformat(' ', 'minutes')}  {self.about()}  {self.reason}"


class Operator:
    """Works on the queues of one stack."""

    def __init__(self, stack: str, session: Session) -> None:
        self._session = session
        self._sqs: Any = session.create_client("sqs")
        formation: Any = session.create_client("cloudformation")
        resources = formation.describe_stack_resources(StackName=stack)
        self._resources: dict[str, tuple[str, str]] = {
            each["LogicalResourceId"]: (each["ResourceType"], each["PhysicalResourceId"])
            for each in resources["StackResources"]
        }

    def queues(self) -> list[Queue]:
        """The queues of dead letters, each with its source."""
        urls = {name: url for name, (kind, url) in self._resources.items() if kind == "AWS::SQS::Queue"}
        attributes = {
            name: self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn", "RedrivePolicy"])[
                "Attributes"
            ]
            for name, url in urls.items()
        }
        sources = {
            json.loads(each["RedrivePolicy"])["deadLetterTargetArn"]: urls[name]
            for name, each in attributes.items()
            if "RedrivePolicy" in each
        }
        return [
            Queue(name, urls[name], sources.get(attributes[name]["QueueArn"])) for name in urls if "DeadLetters" in name
        ]

    def letters(self, queue: Queue) -> Iterator[Letter]:
        """What waits in it, hidden from everybody else until `leave`, for PEEK_SECONDS at most."""
        seen = 0
        while seen < LETTERS_MAX:
            found = self._sqs.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=RECEIVED_AT_ONCE,
                VisibilityTimeout=PEEK_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not found:
                return
            seen += len(found)
            yield from (Letter(queue, message) for message in found)

    def leave(self, letters: Iterable[Letter]) -> None:
        """Puts letters back where they were."""
        for letter in letters:
            self._sqs.change_message_visibility(
                QueueUrl=letter.queue.url, ReceiptHandle=letter.message["ReceiptHandle"], VisibilityTimeout=0
            )

    def redrive(self, letter: Letter) -> None:
        """Sends it on its way again. Raises Failed if that is no use; the letter then stays."""
        if letter.queue.source is not None:
            attributes = {
                name: {key: value for key, value in each.items() if key in {"DataType", "StringValue", "BinaryValue"}}
                for name, each in letter.message.get("MessageAttributes", {}).items()
                if name != REASON
            }
            self._sqs.send_message(
                QueueUrl=letter.queue.source, MessageBody=letter.message["Body"], MessageAttributes=attributes
            )
        elif "record" in letter.content:
            self._publish([self._stored(letter.content)])
        elif "DDBStreamBatchInfo" in letter.content:
            self._publish(self._streamed(letter.content["DDBStreamBatchInfo"]))
        else:
            raise Failed(f"{letter.id} is no letter of ours; it can only be discarded.")
        self.discard(letter)

    def discard(self, letter: Letter) -> None:
        """Deletes it."""
        self._sqs.delete_message(QueueUrl=letter.queue.url, ReceiptHandle=letter.message["ReceiptHandle"])

    def _publish(self, events: Sequence[Event]) -> None:
        bus = EventBridgeBus(self._resource("Bus").rpartition("/")[2], self._session)
        for start in range(0, len(events), EVENTS_MAX):
            if bus.publish(events[start : start + EVENTS_MAX]):
                raise Failed("The bus did not take all of it. Try again.")

    def _stored(self, keys: dict[str, Any]) -> Event:
        table: Any = self._session.create_client("dynamodb")
        item = table.get_item(
            TableName=self._resource("Table"),
            Key={"pk": {"S": keys["pk"]}, "sk": {"S": keys["sk"]}},
            ConsistentRead=True,
        )
        if "Item" not in item:
            raise Failed(f"{keys['pk']} {keys['sk']} is not in the table any more: discard the letter.")
        return _event(item["Item"], f"{keys['pk']} {keys['sk']}")

    def _streamed(self, batch: dict[str, Any]) -> list[Event]:
        """The events of a batch that the stream has given up on; the stream keeps them for a day."""
        streams: Any = self._session.create_client("dynamodbstreams")
        last = int(batch["endSequenceNumber"])
        try:
            iterator = streams.get_shard_iterator(
                StreamArn=batch["streamArn"],
                ShardId=batch["shardId"],
                ShardIteratorType="AT_SEQUENCE_NUMBER",
                SequenceNumber=batch["startSequenceNumber"],
            )["ShardIterator"]
        except streams.exceptions.TrimmedDataAccessException:
            raise Failed("The stream has forgotten these records; their events are in the table, by account.") from None
        events: list[Event] = []
        while iterator is not None:
            answer = streams.get_records(ShardIterator=iterator)
            for record in (each["dynamodb"] | {"eventName": each["eventName"]} for each in answer["Records"]):
                if int(record["SequenceNumber"]) > last:
                    return events
                if record["eventName"] == "INSERT" and record["Keys"]["sk"]["S"].startswith(EVENT):
                    events.append(_event(record["NewImage"], record["Keys"]["sk"]["S"]))
            done = not answer["Records"] or int(answer["Records"][-1]["dynamodb"]["SequenceNumber"]) >= last
            iterator = None if done else answer.get("NextShardIterator")
        return events

    def _resource(self, name: str) -> str:
        return self._resources[name][1]


def _event(item: dict[str, Any], where: str) -> Event:
    try:
        return event_from(item["body"]["S"])
    except (KeyError, TypeError, ValueError) as failure:
        raise Failed(f"{where} still cannot be read ({type(failure).__name__}): mend the item first.") from failure


# ---- The commands ----


def show_all(operator: Operator, _: argparse.Namespace) -> None:
    """Every letter in a line of its own."""
    for queue in operator.queues():
        letters = [*operator.letters(queue)]
        operator.leave(letters)
        _say(f"{queue.name}: {len(letters) or 'nothing'}")
        for letter in letters:
            _say(f"  {letter.line()}")


def show_one(operator: Operator, given: argparse.Namespace) -> None:
    """All of a letter, and where its log lines are."""
    letter = _found(operator, given.id)
    operator.leave([letter])
    _say(f"{letter.queue.name}  {letter.line()}\n\n{json.dumps(letter.content, indent=2) or letter.message['Body']}\n")
    detail = letter.content.get("detail") or {}
    for name, value in (("event", detail.get("event")), ("request_id", detail.get("correlation"))):
        if value:
            _say(f"Logs Insights: fields @timestamp, @message | filter {name} = '{value}' | sort @timestamp")


def redrive(operator: Operator, given: argparse.Namespace) -> None:
    """Sends letters on their way again."""
    redriven, kept = 0, 0
    for queue in operator.queues():
        if given.queue not in {None, queue.name}:
            continue
        for letter in [*operator.letters(queue)]:
            if given.id not in {None, letter.id} or redriven + kept == given.max:
                operator.leave([letter])
                continue
            try:
                operator.redrive(letter)
                redriven += 1
            except Failed as failure:
                operator.leave([letter])
                _say(str(failure))
                kept += 1
    _say(f"{redriven} sent on their way again, {kept} kept.")


def discard(operator: Operator, given: argparse.Namespace) -> None:
    """Deletes a letter for good."""
    letter = _found(operator, given.id)
    if not given.yes:
        operator.leave([letter])
        raise Failed(f"This deletes it for good: {letter.line()}\nSay --yes if that is what you want.")
    operator.discard(letter)
    _say("Discarded.")


def _found(operator: Operator, letter_id: str) -> Letter:
    for queue in operator.queues():
        letters = [*operator.letters(queue)]
        operator.leave(each for each in letters if each.id != letter_id)
        for letter in letters:
            if letter.id == letter_id:
                return letter
    raise Failed(f"There is no dead letter {letter_id}. One that was just looked at comes back after a moment.")


def main(arguments: Sequence[str]) -> int:
    """Carries out one command."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dead_letters", description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--stack", default="livello", help="the stack's name (livello)")
    parser.add_argument("--local", action="store_true", help="the stack that make run has started")
    commands = parser.add_subparsers(required=True, metavar="list | show | redrive | discard")
    commands.add_parser("list", help="what waits").set_defaults(command=show_all)
    one = commands.add_parser("show", help="all of one letter, and where its log lines are")
    one.add_argument("id")
    one.set_defaults(command=show_one)
    again = commands.add_parser("redrive", help="send letters on their way again")
    again.add_argument("--queue", help="only those of this queue")
    again.add_argument("--id", help="only this one")
    again.add_argument("--max", type=int, help="at most so many")
    again.set_defaults(command=redrive)
    away = commands.add_parser("discard", help="delete a letter for good")
    away.add_argument("id")
    away.add_argument("--yes", action="store_true")
    away.set_defaults(command=discard)
    given = parser.parse_args(arguments)
    try:
        if given.local:
            _use_local_stack()
        given.command(Operator(given.stack, get_session()), given)
    except (BotoCoreError, ClientError, Failed, LocalError) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def _use_local_stack() -> None:
    os.environ.update(
        AWS_ENDPOINT_URL=settings_from_environment().cloud_address,
        AWS_ACCESS_KEY_ID=CREDENTIALS,
        AWS_SECRET_ACCESS_KEY=CREDENTIALS,
        AWS_DEFAULT_REGION=REGION,
    )


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
