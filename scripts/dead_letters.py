"""Finds what could not be dealt with, says why, and sends it on its way again. docs/dead-letters.md explains it.

It sends a letter to where it came from, and only then deletes it: cut off in between, the letter is there twice, and
whoever consumes it knows it by its event. SQS can move messages by itself, but not those of the stream, and not in the
emulator; one way for all of them is easier to trust.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.dynamodb.keys import EVENT
from billing.platform.events.bus import EVENTS_MAX
from billing.platform.events.eventbridge_bus import EventBridgeBus
from billing.platform.events.mapping import event_from
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session, get_session

from local.settings import LocalError
from scripts.stack import Failed, add_stack_options, stack_resources, use_local_stack

PEEK_SECONDS = 30
"""How long letters that are only looked at stay hidden, should this program be cut off."""

WAIT_SECONDS = 1
"""How long to wait for letters. Without waiting, SQS asks some of its servers only."""

LETTERS_MAX = 500
PAGES_MAX = 1000
"""Of the stream, for one batch. Many are empty: a shard is read in stretches, also those in which nothing stands."""

FORGOTTEN = {"TrimmedDataAccessException", "ResourceNotFoundException"}
"""What the stream answers about records, or a whole shard, that are older than a day."""

RECEIVED_AT_ONCE = 10
REASON = "reason"
"""The attribute in which our functions say why."""


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
        if isinstance(usage := content.get("usage"), list):
            accounts = {str(each.get("account")) for each in usage if isinstance(each, dict)}
            return f"{len(usage)} events of usage of {', '.join(sorted(accounts))}"
        return "unreadable"

    def line(self) -> str:
        sent = datetime.fromtimestamp(int(self.message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        return f"{self.id}  {sent.isoformat(' ', 'minutes')}  {self.about()}  {self.reason}"


class Operator:
    """Works on the queues of one stack."""

    def __init__(self, stack: str, session: Session) -> None:
        self._session = session
        self._sqs: Any = session.create_client("sqs")
        self._resources = stack_resources(stack, session)

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

    def letters_of_each(self, queues: Sequence[Queue]) -> list[list[Letter]]:
        """What waits in each of them, as `letters`. Asks all at once: an empty queue takes WAIT_SECONDS."""
        with ThreadPoolExecutor(len(queues) or 1) as pool:
            return [*pool.map(lambda queue: [*self.letters(queue)], queues)]

    def hidden(self, queue: Queue) -> int:
        """How many letters somebody else has in hand."""
        name = "ApproximateNumberOfMessagesNotVisible"
        return int(self._sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=[name])["Attributes"][name])

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
            self._publish([self._stored(*_texts(letter, letter.content, "pk", "sk"))])
        elif "DDBStreamBatchInfo" in letter.content:
            self._publish(self._streamed(letter))
        else:
            raise _not_ours(letter)
        self.discard(letter)

    def discard(self, letter: Letter) -> None:
        """Deletes it."""
        self._sqs.delete_message(QueueUrl=letter.queue.url, ReceiptHandle=letter.message["ReceiptHandle"])

    def _publish(self, events: Sequence[Event]) -> None:
        bus = EventBridgeBus(self._resource("Bus").rpartition("/")[2], self._session)
        for start in range(0, len(events), EVENTS_MAX):
            if bus.publish(events[start : start + EVENTS_MAX]):
                raise Failed("The bus did not take all of it. Try again.")

    def _stored(self, pk: str, sk: str) -> Event:
        table: Any = self._session.create_client("dynamodb")
        item = table.get_item(
            TableName=self._resource("Table"), Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        if "Item" not in item:
            raise Failed(f"{pk} {sk} is not in the table any more: discard the letter.")
        try:
            return event_from(item["Item"]["body"]["S"])
        except (KeyError, TypeError, ValueError) as failure:
            kind = type(failure).__name__
            raise Failed(f"{pk} {sk} still cannot be read ({kind}): mend the item first.") from failure

    def _streamed(self, letter: Letter) -> list[Event]:
        """The events of a batch that the stream has given up on; the stream keeps them for a day."""
        batch = letter.content["DDBStreamBatchInfo"]
        arn, shard, first, last = _texts(
            letter, batch, "streamArn", "shardId", "startSequenceNumber", "endSequenceNumber"
        )
        if not last.isdecimal():
            raise _not_ours(letter)
        try:
            records = self._records(arn, shard, first, last)
        except ClientError as failure:
            if failure.response["Error"]["Code"] not in FORGOTTEN:
                raise
            between = [batch.get(f"approximateArrivalOf{which}Record", "?") for which in ("First", "Last")]
            raise Failed(
                f"{letter.id}: the stream has forgotten these records. They were written from {between[0]} to "
                f"{between[1]}; their events are in the table, under the accounts, with these times."
            ) from failure
        return [self._event(record) for record in records if _is_event(record)]

    def _records(self, arn: str, shard: str, first: str, last: str) -> list[dict[str, Any]]:
        """All from the first to the last. Raises Failed if there are fewer: the letter is the only trace of the rest.

        An empty page says nothing: the records may stand further on in the shard.
        """
        streams: Any = self._session.create_client("dynamodbstreams")
        iterator: str | None = streams.get_shard_iterator(
            StreamArn=arn, ShardId=shard, ShardIteratorType="AT_SEQUENCE_NUMBER", SequenceNumber=first
        )["ShardIterator"]
        records: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            if iterator is None:
                break
            answer = streams.get_records(ShardIterator=iterator)
            records += answer["Records"]
            if records and _number(records[-1]) >= int(last):
                return [record for record in records if _number(record) <= int(last)]
            iterator = answer.get("NextShardIterator")
        raise Failed(f"The stream did not give all records up to {last}. Nothing of them was published.")

    def _event(self, record: dict[str, Any]) -> Event:
        """As it was written; where that cannot be read, as it stands in the table now: there it can be mended."""
        keys = record["dynamodb"]["Keys"]
        try:
            return event_from(record["dynamodb"]["NewImage"]["body"]["S"])
        except (KeyError, TypeError, ValueError):
            return self._stored(keys["pk"]["S"], keys["sk"]["S"])

    def _resource(self, name: str) -> str:
        return self._resources[name][1]


def _texts(letter: Letter, content: object, *names: str) -> list[str]:
    values = [content.get(name) for name in names] if isinstance(content, dict) else []
    texts = [value for value in values if isinstance(value, str) and value]
    if len(texts) < len(names):
        raise _not_ours(letter)
    return texts


def _not_ours(letter: Letter) -> Failed:
    return Failed(f"{letter.id} is no letter of ours; it can only be discarded.")


def _number(record: dict[str, Any]) -> int:
    return int(record["dynamodb"]["SequenceNumber"])


def _is_event(record: dict[str, Any]) -> bool:
    return record["eventName"] == "INSERT" and str(record["dynamodb"]["Keys"]["sk"]["S"]).startswith(EVENT)


# ---- The commands ----


def show_all(operator: Operator, _: argparse.Namespace) -> None:
    """Every letter in a line of its own."""
    queues = operator.queues()
    in_hand = [operator.hidden(queue) for queue in queues]
    for queue, hidden, letters in zip(queues, in_hand, operator.letters_of_each(queues), strict=True):
        operator.leave(letters)
        others = f", and {hidden} that somebody looks at just now" if hidden else ""
        _say(f"{queue.name}: {len(letters) or 'nothing'}{others}")
        for letter in letters:
            _say(f"  {letter.line()}")


def show_one(operator: Operator, given: argparse.Namespace) -> None:
    """All of a letter, and where its log lines are."""
    letter = _found(operator, given.id)
    operator.leave([letter])
    body = json.dumps(letter.content, indent=2) if letter.content else letter.message["Body"]
    _say(f"{letter.queue.name}  {letter.line()}\n\n{body}\n")
    detail = letter.content.get("detail")
    event, correlation = (detail.get("event"), detail.get("correlation")) if isinstance(detail, dict) else (None, None)
    if event is None and isinstance(key := letter.content.get("sk"), str):
        event = key.removeprefix(EVENT)
    for name, value in (("event", event), ("request_id", correlation)):
        if value:
            _say(f"Logs Insights: fields @timestamp, @message | filter {name} = '{value}' | sort @timestamp")


def redrive(operator: Operator, given: argparse.Namespace) -> None:
    """Sends letters on their way again."""
    redriven, kept, seen = 0, 0, False
    queues = operator.queues()
    if given.queue not in {None, *(queue.name for queue in queues)}:
        raise Failed(f"There is no queue {given.queue}. There are {', '.join(queue.name for queue in queues)}.")
    chosen = [queue for queue in queues if given.queue in {None, queue.name}]
    # One queue after the other, unless one letter is looked for: letters that wait for their turn would come back.
    one_by_one = ([*operator.letters(queue)] for queue in chosen)
    for letters in one_by_one if given.id is None else operator.letters_of_each(chosen):
        for letter in letters:
            seen = seen or letter.id == given.id
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
    if given.id is not None and not seen:
        raise _unknown(given.id)
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
    letters = [letter for each in operator.letters_of_each(operator.queues()) for letter in each]
    operator.leave(each for each in letters if each.id != letter_id)
    for letter in letters:
        if letter.id == letter_id:
            return letter
    raise _unknown(letter_id)


def _unknown(letter_id: str) -> Failed:
    return Failed(f"There is no dead letter {letter_id}. One that was just looked at comes back after a moment.")


def main(arguments: Sequence[str]) -> int:
    """Carries out one command."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dead_letters", description=(__doc__ or "").split("\n")[0])
    add_stack_options(parser)
    commands = parser.add_subparsers(required=True, metavar="list | show | redrive | discard")
    commands.add_parser("list", help="what waits").set_defaults(command=show_all)
    one = commands.add_parser("show", help="all of one letter, and where its log lines are")
    one.add_argument("id")
    one.set_defaults(command=show_one)
    again = commands.add_parser("redrive", help="send letters on their way again")
    again.add_argument("--queue", help="only those of this queue")
    again.add_argument("--id", help="only this one")
    again.add_argument("--max", type=_count, help="at most so many")
    again.set_defaults(command=redrive)
    away = commands.add_parser("discard", help="delete a letter for good")
    away.add_argument("id")
    away.add_argument("--yes", action="store_true")
    away.set_defaults(command=discard)
    for command in commands.choices.values():
        add_stack_options(command, of_a_command=True)
    given = parser.parse_args(arguments)
    try:
        if given.local:
            use_local_stack()
        given.command(Operator(given.stack, get_session()), given)
    except (BotoCoreError, ClientError, Failed, LocalError, UpstreamFailed) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of letters")
    return int(text)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
