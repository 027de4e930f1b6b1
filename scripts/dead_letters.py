"""Lists the messages of the dead-letter queues, explains, redrives and discards them. See docs/dead-letters.md.

A message is sent to its source queue first and deleted afterwards. Cut off in between, it exists twice, and every
consumer recognises it by its event's id. SQS can redrive by itself, but not the stream's batches, and not in the
emulator. One way for all of them is easier to trust.
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

from billing.correspondence.ses_mailer import ACCOUNT_TAG
from billing.kernel.errors import UpstreamFailed
from billing.kernel.events import Event
from billing.platform.dynamodb.keys import EVENT
from billing.platform.events.bus import EVENTS_MAX
from billing.platform.events.eventbridge_bus import EventBridgeBus
from billing.platform.events.mapping import event_from
from botocore.exceptions import BotoCoreError, ClientError
from botocore.session import Session, get_session

from local.settings import LocalError
from scripts.stack import OperatorError, add_stack_options, stack_resources, use_local_stack

PEEK_SECONDS = 30
"""The visibility timeout of a received message: how long it stays hidden if this program is cut off."""

WAIT_SECONDS = 1
"""Long polling: without it, SQS asks only some of its servers."""

MESSAGES_MAX = 500
PAGES_MAX = 1000
"""Pages of the stream read for one batch. Many are empty, because a shard is read in stretches of time."""

FORGOTTEN = {"TrimmedDataAccessException", "ResourceNotFoundException"}
"""The stream's error codes for records, or a whole shard, older than a day."""

RECEIVED_AT_ONCE = 10
FUNCTION_IN_ARN = 6
"""The place of the name in a function's ARN, counted from 0."""

REASON = "reason"
"""The message attribute with the reason why a function set a message aside."""


@dataclass(frozen=True, slots=True)
class Queue:
    """A dead-letter queue. `source` is the URL of the queue that it serves; None for that of the table's stream."""

    name: str
    url: str
    source: str | None


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message in a dead-letter queue, as SQS gives it."""

    queue: Queue
    message: dict[str, Any]

    @property
    def id(self) -> str:
        return str(self.message["MessageId"])

    @property
    def content(self) -> dict[str, Any]:
        """The parsed body; empty if it is no JSON object."""
        try:
            content = json.loads(self.message["Body"])
        except ValueError:
            return {}
        return content if isinstance(content, dict) else {}

    @property
    def reason(self) -> str:
        attribute = self.message.get("MessageAttributes", {}).get(REASON)
        if attribute:
            return str(attribute["StringValue"])
        failure = self.content.get("responsePayload")
        if isinstance(failure, dict) and "errorType" in failure:
            return f"It raised {failure['errorType']}."  # its message may contain anything
        return "It was tried too often."

    @property
    def planner(self) -> str | None:
        """The name of the function whose asynchronous invocation failed for good, if this is Lambda's record of one.

        https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
        """
        context = self.content.get("requestContext")
        arn = context.get("functionArn") if isinstance(context, dict) else None
        parts = arn.split(":") if isinstance(arn, str) else []
        return parts[FUNCTION_IN_ARN] if len(parts) > FUNCTION_IN_ARN else None

    def about(self) -> str:
        """The subject of the message, by ids and keys alone: no personal data."""
        content = self.content
        if isinstance(detail := content.get("detail"), dict):
            return f"{detail.get('type')} {detail.get('event')} of {detail.get('account')}"
        if self.planner is not None:
            asked = content.get("requestPayload")
            return f"planner {self.planner} at {asked.get('time') if isinstance(asked, dict) else '?'}"
        if "record" in content:
            return f"record {content.get('pk')} {content.get('sk')}"
        if isinstance(batch := content.get("DDBStreamBatchInfo"), dict):
            return f"{batch.get('batchSize')} records of the stream from {batch.get('startSequenceNumber')}"
        if isinstance(mail := content.get("mail"), dict):
            return f"{content.get('eventType')} of mail {mail.get('messageId')}{_account_of(mail)}"
        if isinstance(usage := content.get("usage"), list):
            accounts = {str(each.get("account")) for each in usage if isinstance(each, dict)}
            return f"{len(usage)} events of usage of {', '.join(sorted(accounts))}"
        if isinstance(due := content.get("at"), str):
            return f"work due at {due} of {content.get('account')}"
        if "notice" in content:
            return f"{content.get('type')} {content.get('notice')} of Stripe"
        return "unreadable"

    def line(self) -> str:
        """Id, time, subject and reason, for a list."""
        sent = datetime.fromtimestamp(int(self.message["Attributes"]["SentTimestamp"]) / 1000, UTC)
        return f"{self.id}  {sent.isoformat(' ', 'minutes')}  {self.about()}  {self.reason}"


class Operator:
    """The dead-letter queues of one stack, and what redriving needs: its table, its stream and its bus."""

    def __init__(self, stack: str, session: Session) -> None:
        self._session = session
        self._sqs: Any = session.create_client("sqs")
        self._resources = stack_resources(stack, session)

    def queues(self) -> list[Queue]:
        """The dead-letter queues, each with its source. One call of SQS per queue of the stack."""
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

    def letters(self, queue: Queue) -> Iterator[DeadLetter]:
        """Receives up to MESSAGES_MAX messages of a queue, RECEIVED_AT_ONCE per call.

        They stay hidden from other consumers until `release`, for PEEK_SECONDS at most.
        """
        count = 0
        while count < MESSAGES_MAX:
            messages = self._sqs.receive_message(
                QueueUrl=queue.url,
                MaxNumberOfMessages=RECEIVED_AT_ONCE,
                VisibilityTimeout=PEEK_SECONDS,
                WaitTimeSeconds=WAIT_SECONDS,
                AttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                return
            count += len(messages)
            yield from (DeadLetter(queue, message) for message in messages)

    def letters_of_each(self, queues: Sequence[Queue]) -> list[list[DeadLetter]]:
        """`letters` of each queue. Asks all of them at once, because an empty queue takes WAIT_SECONDS."""
        with ThreadPoolExecutor(len(queues) or 1) as pool:
            return [*pool.map(lambda queue: [*self.letters(queue)], queues)]

    def in_flight(self, queue: Queue) -> int:
        """How many messages another consumer has received and not deleted."""
        name = "ApproximateNumberOfMessagesNotVisible"
        return int(self._sqs.get_queue_attributes(QueueUrl=queue.url, AttributeNames=[name])["Attributes"][name])

    def release(self, letters: Iterable[DeadLetter]) -> None:
        """Makes received messages visible again. One call per message."""
        for letter in letters:
            self._sqs.change_message_visibility(
                QueueUrl=letter.queue.url, ReceiptHandle=letter.message["ReceiptHandle"], VisibilityTimeout=0
            )

    def redrive(self, letter: DeadLetter) -> None:
        """Sends a message to its source queue, publishes its events or invokes its planner, and deletes it.

        Raises OperatorError if that is impossible, and UpstreamFailed if the bus does not answer; the message stays.
        """
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
        elif letter.planner is not None:
            self._invoke(letter)
        elif "DDBStreamBatchInfo" in letter.content:
            self._publish(self._streamed(letter))
        else:
            raise _not_ours(letter)
        self.discard(letter)

    def discard(self, letter: DeadLetter) -> None:
        """Deletes a message."""
        self._sqs.delete_message(QueueUrl=letter.queue.url, ReceiptHandle=letter.message["ReceiptHandle"])

    def _invoke(self, letter: DeadLetter) -> None:
        """Invokes a planner again with the event that it failed with. If it fails again, there is a new letter."""
        functions = {name for kind, name in self._resources.values() if kind == "AWS::Lambda::Function"}
        if letter.planner not in functions or not isinstance(letter.content.get("requestPayload"), dict):
            raise _not_ours(letter)
        invoked: Any = self._session.create_client("lambda")
        invoked.invoke(
            FunctionName=letter.planner,
            InvocationType="Event",
            Payload=json.dumps(letter.content["requestPayload"]).encode(),
        )

    def _publish(self, events: Sequence[Event]) -> None:
        bus = EventBridgeBus(self._resource("Bus").rpartition("/")[2], self._session)
        for start in range(0, len(events), EVENTS_MAX):
            for refusal in bus.publish(events[start : start + EVENTS_MAX]):
                if refusal.for_good:
                    raise OperatorError(f"The bus still refuses it ({refusal.code}): mend the item first.")
                raise OperatorError("The bus did not take all of it. Try again.")

    def _stored(self, pk: str, sk: str) -> Event:
        table: Any = self._session.create_client("dynamodb")
        item = table.get_item(
            TableName=self._resource("Table"), Key={"pk": {"S": pk}, "sk": {"S": sk}}, ConsistentRead=True
        )
        if "Item" not in item:
            raise OperatorError(f"{pk} {sk} is not in the table any more: discard the letter.")
        try:
            return event_from(item["Item"]["body"]["S"])
        except (KeyError, TypeError, ValueError) as failure:
            kind = type(failure).__name__
            raise OperatorError(f"{pk} {sk} still cannot be read ({kind}): mend the item first.") from failure

    def _streamed(self, letter: DeadLetter) -> list[Event]:
        """The events of a batch that the stream's trigger gave up on. The stream keeps its records for a day."""
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
            first_at, last_at = (batch.get(f"approximateArrivalOf{which}Record", "?") for which in ("First", "Last"))
            raise OperatorError(
                f"{letter.id}: the stream has forgotten these records. They were written from {first_at} to "
                f"{last_at}; their events are in the table, under the accounts, with these times."
            ) from failure
        return [self._event(record) for record in records if _is_event(record)]

    def _records(self, arn: str, shard: str, first: str, last: str) -> list[dict[str, Any]]:
        """All records from the first sequence number to the last.

        An empty page proves nothing, because the records may follow further on in the shard. Raises OperatorError if
        some records are missing: the message must stay, because it is their only trace.
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
        raise OperatorError(f"The stream did not give all records up to {last}. None of them was published.")

    def _event(self, record: dict[str, Any]) -> Event:
        """The event of a record. If its image cannot be read, the item in the table, where an operator can mend it."""
        keys = record["dynamodb"]["Keys"]
        try:
            return event_from(record["dynamodb"]["NewImage"]["body"]["S"])
        except (KeyError, TypeError, ValueError):
            return self._stored(keys["pk"]["S"], keys["sk"]["S"])

    def _resource(self, name: str) -> str:
        return self._resources[name][1]


def _texts(letter: DeadLetter, content: object, *names: str) -> list[str]:
    values = [content.get(name) for name in names] if isinstance(content, dict) else []
    texts = [value for value in values if isinstance(value, str) and value]
    if len(texts) < len(names):
        raise _not_ours(letter)
    return texts


def _account_of(mail: dict[str, Any]) -> str:
    tags = mail.get("tags")
    accounts = tags.get(ACCOUNT_TAG) if isinstance(tags, dict) else None
    return f" of {accounts[0]}" if isinstance(accounts, list) and accounts else ""


def _not_ours(letter: DeadLetter) -> OperatorError:
    return OperatorError(f"{letter.id} is no message of Livello; it can only be discarded.")


def _number(record: dict[str, Any]) -> int:
    return int(record["dynamodb"]["SequenceNumber"])


def _is_event(record: dict[str, Any]) -> bool:
    return record["eventName"] == "INSERT" and str(record["dynamodb"]["Keys"]["sk"]["S"]).startswith(EVENT)


# ---- The commands ----


def show_all(operator: Operator, _: argparse.Namespace) -> None:
    """`list`: one line per message."""
    queues = operator.queues()
    # Counted first: the messages that `letters_of_each` receives are in flight as well.
    in_flight = [operator.in_flight(queue) for queue in queues]
    for queue, hidden, letters in zip(queues, in_flight, operator.letters_of_each(queues), strict=True):
        operator.release(letters)
        others = f", and {hidden} that another consumer holds" if hidden else ""
        _say(f"{queue.name}: {len(letters) or 'nothing'}{others}")
        for letter in letters:
            _say(f"  {letter.line()}")


def show_one(operator: Operator, given: argparse.Namespace) -> None:
    """`show`: a whole message, and the queries that find its log lines."""
    letter = _find(operator, given.id)
    operator.release([letter])
    body = json.dumps(letter.content, indent=2) if letter.content else letter.message["Body"]
    _say(f"{letter.queue.name}  {letter.line()}\n\n{body}\n")
    detail = letter.content.get("detail")
    event, correlation = (detail.get("event"), detail.get("correlation")) if isinstance(detail, dict) else (None, None)
    if event is None and isinstance(key := letter.content.get("sk"), str):
        event = key.removeprefix(EVENT)
    context = letter.content.get("requestContext")
    failed = context.get("requestId") if isinstance(context, dict) else None
    for name, value in (("event", event), ("request_id", correlation), ("@requestId", failed)):
        if value:
            _say(f"Logs Insights: fields @timestamp, @message | filter {name} = '{value}' | sort @timestamp")


def redrive(operator: Operator, given: argparse.Namespace) -> None:
    """`redrive`: all messages, those of a queue, or one. A message that cannot be redriven stays, with its reason."""
    redriven, failed, seen = 0, 0, False
    queues = operator.queues()
    if given.queue not in {None, *(queue.name for queue in queues)}:
        raise OperatorError(f"There is no queue {given.queue}. There are {', '.join(queue.name for queue in queues)}.")
    chosen = [queue for queue in queues if given.queue in {None, queue.name}]
    # One queue after the other: a message that waits too long for its turn becomes visible again. One id is sought in
    # all queues at once.
    one_by_one = ([*operator.letters(queue)] for queue in chosen)
    for letters in one_by_one if given.id is None else operator.letters_of_each(chosen):
        for letter in letters:
            seen = seen or letter.id == given.id
            if given.id not in {None, letter.id} or redriven + failed == given.max:
                operator.release([letter])
                continue
            try:
                operator.redrive(letter)
                redriven += 1
            except OperatorError as failure:
                operator.release([letter])
                _say(str(failure))
                failed += 1
    if given.id is not None and not seen:
        raise _unknown(given.id)
    _say(f"{redriven} sent again, {failed} kept.")


def discard(operator: Operator, given: argparse.Namespace) -> None:
    """`discard`: deletes a message for good, with --yes."""
    letter = _find(operator, given.id)
    if not given.yes:
        operator.release([letter])
        raise OperatorError(f"This deletes the message for good: {letter.line()}\nConfirm with --yes.")
    operator.discard(letter)
    _say("Discarded.")


def _find(operator: Operator, letter_id: str) -> DeadLetter:
    letters = [letter for each in operator.letters_of_each(operator.queues()) for letter in each]
    operator.release(each for each in letters if each.id != letter_id)
    for letter in letters:
        if letter.id == letter_id:
            return letter
    raise _unknown(letter_id)


def _unknown(letter_id: str) -> OperatorError:
    return OperatorError(
        f"There is no dead letter {letter_id}. One that another consumer holds comes back after a moment."
    )


def main(arguments: Sequence[str]) -> int:
    """Runs one command. Returns the exit status: 1 for a failure, which is one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m scripts.dead_letters", description=(__doc__ or "").split("\n")[0])
    add_stack_options(parser)
    commands = parser.add_subparsers(required=True, metavar="list | show | redrive | discard")
    commands.add_parser("list", help="one line per message").set_defaults(command=show_all)
    show_parser = commands.add_parser("show", help="a whole message, and where its log lines are")
    show_parser.add_argument("id")
    show_parser.set_defaults(command=show_one)
    redrive_parser = commands.add_parser("redrive", help="send messages to their source queue again")
    redrive_parser.add_argument("--queue", help="only those of this queue")
    redrive_parser.add_argument("--id", help="only this message")
    redrive_parser.add_argument("--max", type=_count, help="at most so many")
    redrive_parser.set_defaults(command=redrive)
    discard_parser = commands.add_parser("discard", help="delete a message for good")
    discard_parser.add_argument("id")
    discard_parser.add_argument("--yes", action="store_true")
    discard_parser.set_defaults(command=discard)
    for command in commands.choices.values():
        add_stack_options(command, of_a_command=True)
    given = parser.parse_args(arguments)
    try:
        if given.local:
            use_local_stack()
        given.command(Operator(given.stack, get_session()), given)
    except (BotoCoreError, ClientError, OperatorError, LocalError, UpstreamFailed) as failure:
        sys.stderr.write(f"{failure}\n")
        return 1
    return 0


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"{text} is no number of messages")
    return int(text)


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
