"""One DynamoDB table in memory, with the semantics that billing needs: conditions, transactions, tokens, streams.

It uses the wire format: answer() takes an operation's name and its JSON. It returns the JSON of the reply, or raises
Refused. Unknown operations and parameters raise Unsupported. Replies have no ConsumedCapacity, even if a request asks
for it. Reads see every write at once, also through the index.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from tests.faults.expressions import (
    Between,
    Both,
    Comparison,
    Condition,
    Constant,
    Path,
    Placeholders,
    Predicate,
    Reader,
    holds,
    updated,
)
from tests.faults.values import ITEM_BYTES_MAX, Item, Refused, Unsupported, checked, invalid, item_bytes, rank, type_of

Json = dict[str, Any]
Key = tuple[Any, Any]
"""The ranks of an item's two key values."""

Result = Callable[[Item, Item | None], Item | None]
"""Computes the item after a write from its key values and the item before. None means no item."""

PAGE_BYTES_MAX = 1024 * 1024
TRANSACTION_ACTIONS_MAX = 100
BATCH_WRITES_MAX = 25
BATCH_READS_MAX = 100
PARTITION_KEY_BYTES_MAX = 2048
SORT_KEY_BYTES_MAX = 1024
TOKEN_LENGTH_MAX = 36

_FAILED = "The conditional request failed"
_UNMETERED = {"ReturnConsumedCapacity", "ReturnItemCollectionMetrics"}
_PLACEHOLDERS = {"ExpressionAttributeNames", "ExpressionAttributeValues"}
_CONDITIONAL = {"ConditionExpression", "ReturnValuesOnConditionCheckFailure", *_PLACEHOLDERS}
_READ = {"ProjectionExpression", "ConsistentRead", *_PLACEHOLDERS}
_PAGED = {"Limit", "ExclusiveStartKey", "FilterExpression", "IndexName", "Select", *_READ}
_SUPPORTED: Mapping[str, set[str]] = {
    "GetItem": {"Key", *_READ},
    "BatchGetItem": {"RequestItems"},
    "Query": {"KeyConditionExpression", "ScanIndexForward", *_PAGED},
    "Scan": {*_PAGED},
    "PutItem": {"Item", "ReturnValues", *_CONDITIONAL},
    "UpdateItem": {"Key", "UpdateExpression", "ReturnValues", *_CONDITIONAL},
    "DeleteItem": {"Key", "ReturnValues", *_CONDITIONAL},
    "BatchWriteItem": {"RequestItems"},
    "TransactWriteItems": {"TransactItems", "ClientRequestToken"},
    "TransactGetItems": {"TransactItems"},
    # Within a transaction or a batch:
    "Put": {"Item", *_CONDITIONAL},
    "Update": {"Key", "UpdateExpression", *_CONDITIONAL},
    "Delete": {"Key", *_CONDITIONAL},
    "ConditionCheck": {"Key", *_CONDITIONAL},
    "Get": {"Key", "ProjectionExpression", "ExpressionAttributeNames"},
    "Keys": {"Keys", "ProjectionExpression", "ConsistentRead", "ExpressionAttributeNames"},
}
_RETURNS = {"PutItem": {"ALL_OLD"}, "DeleteItem": {"ALL_OLD"}} | {
    "UpdateItem": {"ALL_OLD", "ALL_NEW", "UPDATED_OLD", "UPDATED_NEW"}
}


@dataclass(frozen=True, slots=True)
class Schema:
    """The key attributes of the table and of its indexes, partition key first, and their types."""

    name: str
    keys: tuple[str, str]
    indexes: Mapping[str, tuple[str, str]]
    types: Mapping[str, str]

    @classmethod
    def of(cls, name: str, properties: Mapping[str, Any]) -> Schema:
        """The schema from the properties of a template's table or of CreateTable."""
        return cls(
            name=name,
            keys=_key_names(properties),
            indexes={each["IndexName"]: _key_names(each) for each in properties.get("GlobalSecondaryIndexes", ())},
            types={each["AttributeName"]: each["AttributeType"] for each in properties["AttributeDefinitions"]},
        )


def _key_names(described: Mapping[str, Any]) -> tuple[str, str]:
    names = {each["KeyType"]: str(each["AttributeName"]) for each in described["KeySchema"]}
    return names["HASH"], names["RANGE"]


@dataclass(frozen=True, slots=True)
class Write:
    """One parsed and validated write."""

    key: Key
    key_values: Item
    condition: Condition | None
    result: Result
    returns_old: bool
    checks_only: bool = False

    def outcome(self, old: Item | None) -> Item | None:
        """The item after the write. Raises Refused if its condition fails."""
        if self.condition is not None and not holds(self.condition, old or {}):
            raise Refused(
                "ConditionalCheckFailedException", _FAILED, **({"Item": old} if self.returns_old and old else {})
            )
        return self.result(self.key_values, old)


class Unfit(Refused):
    """The key does not fit the schema. In a transaction it becomes a cancellation reason."""

    def __init__(self, message: str) -> None:
        super().__init__("ValidationException", message)


class Table:
    """The table. A deep copy shares the items, because they never change in place."""

    def __init__(self, schema: Schema) -> None:
        self.schema = schema
        self.records: list[Json] = []
        """The records of its stream, in order."""
        self._items: dict[Key, Item] = {}
        self._replies: dict[str, tuple[str, Json]] = {}  # by token: the digest of the request, and its reply

    def __deepcopy__(self, memo: dict[int, Any]) -> Table:
        copy = Table(self.schema)
        copy.records, copy._items, copy._replies = [*self.records], {**self._items}, {**self._replies}
        memo[id(self)] = copy
        return copy

    def items(self) -> list[Item]:
        """All items, by key."""
        return [self._items[key] for key in sorted(self._items)]

    def answer(self, operation: str, request: Json) -> Json:
        """The reply of the service to an operation. Raises Refused for an error reply, Unsupported."""
        if operation not in _RETURNS and operation not in {
            "GetItem", "BatchGetItem", "Query", "Scan", "BatchWriteItem", "TransactWriteItems", "TransactGetItems",
        }:  # fmt: skip
            raise Unsupported(f"This table does not support {operation}.")
        if "RequestItems" not in request and "TransactItems" not in request:
            self._require_own(request)
        _require_supported(operation, request, "TableName", *_UNMETERED)
        match operation:
            case "GetItem":
                return self._get(request)
            case "BatchGetItem":
                return self._get_batch(request)
            case "Query":
                return self._query(request)
            case "Scan":
                return self._scan(request)
            case "BatchWriteItem":
                return self._write_batch(request)
            case "TransactWriteItems":
                return self._transact(request)
            case "TransactGetItems":
                return self._get_together(request)
            case _:
                return self._write_single(operation, request)

    # ---- Reads ----

    def _get(self, request: Json) -> Json:
        key, _ = self._key(request["Key"])
        project = _projection(request, (placeholders := Placeholders.of(request)))
        placeholders.require_all_used()
        item = self._items.get(key)
        return {} if item is None else {"Item": project(item)}

    def _get_batch(self, request: Json) -> Json:
        [(name, batch)] = request["RequestItems"].items()
        self._require_own({"TableName": name})
        _require_supported("Keys", batch)
        if not 1 <= len(batch["Keys"]) <= BATCH_READS_MAX:
            raise invalid("Too many items requested for the BatchGetItem call")
        keys = [self._key(key)[0] for key in batch["Keys"]]
        _require_different(keys)
        project = _projection(batch, (placeholders := Placeholders.of(batch)))
        placeholders.require_all_used()
        return {
            "Responses": {name: [project(self._items[key]) for key in keys if key in self._items]},
            "UnprocessedKeys": {},
        }

    def _get_together(self, request: Json) -> Json:
        batch = [self._action(action, {"Get"})[1] for action in request["TransactItems"]]
        if not 1 <= len(batch) <= TRANSACTION_ACTIONS_MAX:
            raise invalid("Member must have length less than or equal to 100")
        return {"Responses": [self._get(get) for get in batch]}

    def _query(self, request: Json) -> Json:
        partition_name, sort_name = names = self._index(request)
        placeholders = Placeholders.of(request)
        partition, within = _key_condition(
            Reader("KeyConditionExpression", request["KeyConditionExpression"], placeholders).condition(), names
        )
        if {type_of(partition): partition} != {self.schema.types[partition_name]: partition}:
            raise invalid(
                "One or more parameter values were invalid: Condition parameter type does not match schema type"
            )
        items = [
            item
            for item in self._items.values()
            if item.get(partition_name) == partition and sort_name in item and (within is None or holds(within, item))
        ]
        items.sort(key=self._place(names), reverse=not request.get("ScanIndexForward", True))
        return self._page(items, names, request, placeholders)

    def _scan(self, request: Json) -> Json:
        names = self._index(request)
        items = [item for item in self._items.values() if names[0] in item and names[1] in item]
        # A scan returns partitions in no reliable order.
        items.sort(key=lambda item: (_scan_order(item[names[0]]), self._place(names)(item)))
        return self._page(items, names, request, Placeholders.of(request))

    def _index(self, request: Json) -> tuple[str, str]:
        """The key names of the table or of the requested index."""
        index = request.get("IndexName")
        if index is None:
            return self.schema.keys
        if index not in self.schema.indexes:
            raise invalid(f"The table does not have the specified index: {index}")
        if request.get("ConsistentRead"):
            raise invalid("Consistent reads are not supported on global secondary indexes")
        return self.schema.indexes[index]

    def _place(self, names: tuple[str, str]) -> Callable[[Item], tuple[Any, ...]]:
        sort_names = (names[1], *self.schema.keys)
        return lambda item: tuple(rank(item[name]) for name in sort_names)

    def _page(self, items: list[Item], names: tuple[str, str], request: Json, placeholders: Placeholders) -> Json:
        """The reply with one page of the items."""
        condition = None
        if "FilterExpression" in request:
            condition = Reader("FilterExpression", request["FilterExpression"], placeholders).condition()
        project = _projection(request, placeholders)
        placeholders.require_all_used()
        limit = request.get("Limit", len(items) + 1)
        if limit < 1:
            raise invalid("Limit must be greater than or equal to 1")
        key_names = (*dict.fromkeys((*self.schema.keys, *names)),)
        if "ExclusiveStartKey" in request:
            items = items[self._start(items, request, names, key_names) :]
        read: list[Item] = []
        size = 0
        for item in items[:limit]:
            size += item_bytes(item)
            read.append(item)
            if size > PAGE_BYTES_MAX:
                break
        matching = [item for item in read if condition is None or holds(condition, item)]
        reply: Json = {"Count": len(matching), "ScannedCount": len(read)}
        match request.get("Select", "ALL_ATTRIBUTES"):
            case "COUNT":
                pass
            case "ALL_ATTRIBUTES" | "SPECIFIC_ATTRIBUTES":
                reply["Items"] = [project(item) for item in matching]
            case other:
                raise Unsupported(f"Select={other}")
        # A reached limit ends the page even if no item follows: DynamoDB does not look ahead.
        if read and (len(read) < len(items) or len(read) == limit):
            reply["LastEvaluatedKey"] = {name: read[-1][name] for name in key_names}
        return reply

    def _start(self, items: list[Item], request: Json, names: tuple[str, str], key_names: Iterable[str]) -> int:
        """How many items come before the page. The item of the starting key may be deleted meanwhile."""
        start = {name: checked(value) for name, value in request["ExclusiveStartKey"].items()}
        if start.keys() != set(key_names) or any(type_of(start[name]) != self.schema.types[name] for name in start):
            raise invalid("The provided starting key is invalid")
        place = self._place(names)
        if "KeyConditionExpression" not in request:
            behind = (_scan_order(start[names[0]]), place(start))
            return sum((_scan_order(item[names[0]]), place(item)) <= behind for item in items)
        if request.get("ScanIndexForward", True):
            return sum(place(item) <= place(start) for item in items)
        return sum(place(item) >= place(start) for item in items)

    # ---- Writes ----

    def _write_single(self, operation: str, request: Json) -> Json:
        returns = request.get("ReturnValues", "NONE")
        if returns not in {"NONE", *_RETURNS[operation]}:
            raise invalid("Return values set to invalid value")
        write = self._write(operation.removesuffix("Item"), request)
        old = self._items.get(write.key)
        new = write.outcome(old)
        self._store(write, new)
        attributes = _returned(returns, old, new, _changed(request))
        return {"Attributes": attributes} if attributes else {}

    def _write_batch(self, request: Json) -> Json:
        [(name, batch)] = request["RequestItems"].items()
        self._require_own({"TableName": name})
        if not 1 <= len(batch) <= BATCH_WRITES_MAX:
            raise invalid("Too many items requested for the BatchWriteItem call")
        writes = []
        for each in batch:
            [(kind, parameters)] = each.items()
            if kind not in {"PutRequest", "DeleteRequest"}:
                raise Unsupported(kind)
            writes.append(self._write(kind.removesuffix("Request"), parameters))
        _require_different([write.key for write in writes])
        for write in writes:
            self._store(write, write.outcome(self._items.get(write.key)))
        return {"UnprocessedItems": {}}

    def _transact(self, request: Json) -> Json:
        token = request.get("ClientRequestToken")
        digest = hashlib.sha256(json.dumps(request, sort_keys=True).encode()).hexdigest()
        if token is not None and not 1 <= len(token) <= TOKEN_LENGTH_MAX:
            raise invalid("Value at 'clientRequestToken' failed to satisfy constraint: length between 1 and 36")
        actions = request["TransactItems"]
        if not 1 <= len(actions) <= TRANSACTION_ACTIONS_MAX:
            raise invalid(
                "1 validation error detected: Value at 'transactItems' failed to satisfy constraint: "
                "Member must have length less than or equal to 100"
            )
        writes: list[Write | Unfit] = []
        for action in actions:
            kind, parameters = self._action(action, {"Put", "Update", "Delete", "ConditionCheck"})
            try:
                writes.append(self._write(kind, parameters))
            except Unfit as unfit:
                writes.append(unfit)
        if token in self._replies:
            previous, answer = self._replies[token]
            if previous != digest:
                raise Refused("IdempotentParameterMismatchException", "The token was used with other parameters")
            return answer
        keys = [write.key for write in writes if isinstance(write, Write)]
        if len(set(keys)) < len(keys):
            raise invalid("Transaction request cannot include multiple operations on one item")
        for write, new in self._outcomes(writes):
            if not write.checks_only:
                self._store(write, new)
        if token is not None:
            self._replies[token] = (digest, {})
        return {}

    def _outcomes(self, writes: list[Write | Unfit]) -> list[tuple[Write, Item | None]]:
        """The item after each write. Raises Refused with a reason per write if one of them fails."""
        outcomes: list[tuple[Write, Item | None]] = []
        reasons: list[Json] = []
        for write in writes:
            try:
                if isinstance(write, Unfit):
                    raise write
                outcomes.append((write, write.outcome(self._items.get(write.key))))
            except Refused as refused:
                # Reason codes drop the Exception suffix: ConditionalCheckFailed, but ValidationError.
                code = refused.code.removesuffix("Exception").replace("Validation", "ValidationError")
                reasons.append({"Code": code, "Message": refused.message, **refused.facts})
            else:
                reasons.append({"Code": "None"})
        if len(outcomes) < len(writes):
            raise cancelled(reasons)
        return outcomes

    def _action(self, action: Json, kinds: set[str]) -> tuple[str, Json]:
        """The kind of an action of a transaction, and its parameters."""
        if len(action) != 1 or not action.keys() <= kinds:
            raise invalid("TransactItems can only contain one of Check, Put, Update or Delete")
        [(kind, parameters)] = action.items()
        self._require_own(parameters)
        return kind, parameters

    def _write(self, kind: str, request: Json) -> Write:
        """The requested write. Raises Refused for a request that no content of the table could make valid."""
        _require_supported(
            kind if kind in _SUPPORTED else f"{kind}Item", request, "TableName", "ReturnValues", *_UNMETERED
        )
        placeholders = Placeholders.of(request)
        condition = None
        if "ConditionExpression" in request:
            condition = Reader("ConditionExpression", request["ConditionExpression"], placeholders).condition()
        result = {"Put": self._putting, "Update": self._updating, "Delete": _deleting, "ConditionCheck": _leaving}[
            kind
        ](request, placeholders)
        if kind == "ConditionCheck" and condition is None:
            raise invalid("The conditionExpression must be given")
        placeholders.require_all_used()
        if kind == "Put":
            item = result({}, None) or {}
            key, key_values = self._key({name: item[name] for name in self.schema.keys if name in item}, item)
            self._require_valid_item(item)
        else:
            key, key_values = self._key(request["Key"])
        returns_old = request.get("ReturnValuesOnConditionCheckFailure", "NONE") == "ALL_OLD"
        return Write(key, key_values, condition, result, returns_old, checks_only=kind == "ConditionCheck")

    def _putting(self, request: Json, placeholders: Placeholders) -> Result:
        item = {name: checked(value) for name, value in request["Item"].items()}
        return lambda key_values, old: item

    def _updating(self, request: Json, placeholders: Placeholders) -> Result:
        if "UpdateExpression" not in request:
            return lambda key_values, old: old or key_values
        update = Reader("UpdateExpression", request["UpdateExpression"], placeholders).update()
        for path in update.paths():
            if path.steps[0] in self.schema.keys:
                raise invalid(
                    "One or more parameter values were invalid: "
                    f"Cannot update attribute {path.steps[0]}. This attribute is part of the key"
                )

        def result(key_values: Item, old: Item | None) -> Item:
            new = updated(update, old or key_values)
            self._require_valid_item(new)
            return new

        return result

    def _store(self, write: Write, new: Item | None) -> None:
        old = self._items.pop(write.key, None)
        if new is not None:
            self._items[write.key] = new
        if old != new:
            self._append_record(write.key_values, old, new)

    def _append_record(self, keys: Item, old: Item | None, new: Item | None) -> None:
        """Appends the stream record of a write that changed the item."""
        number = len(self.records) + 1
        images = {"NewImage": new, "OldImage": old}
        self.records.append(
            {
                "eventID": f"{number:032x}",
                "eventName": "INSERT" if old is None else "REMOVE" if new is None else "MODIFY",
                "eventVersion": "1.1",
                "eventSource": "aws:dynamodb",
                "dynamodb": {
                    "Keys": keys,
                    **{name: image for name, image in images.items() if image is not None},
                    "SequenceNumber": f"{number:021}",
                    "StreamViewType": "NEW_AND_OLD_IMAGES",
                },
            }
        )

    # ---- Keys ----

    def _key(self, given: Json, item: Item | None = None) -> tuple[Key, Item]:
        """The key and its values. Raises Refused for an invalid key; with other messages if it is part of `item`."""
        values = {name: checked(value) for name, value in given.items()}
        for name in self.schema.keys:
            if item is not None and name not in values:
                raise invalid(f"One or more parameter values were invalid: Missing the key {name} in the item")
            if item is not None and type_of(values[name]) != self.schema.types[name]:
                raise Unfit(
                    f"One or more parameter values were invalid: Type mismatch for key {name} "
                    f"expected: {self.schema.types[name]} actual: {type_of(values[name])}"
                )
        if values.keys() != set(self.schema.keys) or any(
            type_of(value) != self.schema.types[name] for name, value in values.items()
        ):
            raise Unfit("The provided key element does not match the schema")
        for name, bytes_max in zip(self.schema.keys, (PARTITION_KEY_BYTES_MAX, SORT_KEY_BYTES_MAX), strict=True):
            if values[name].get("S") == "":
                raise invalid(
                    "One or more parameter values are not valid. The AttributeValue for a key attribute "
                    f"cannot contain an empty string value. Key: {name}"
                )
            if item_bytes({"": values[name]}) > bytes_max:
                raise invalid(f"One or more parameter values were invalid: Size of {name} has exceeded {bytes_max}")
        partition, sort = (rank(values[name]) for name in self.schema.keys)
        return (partition, sort), values

    def _require_valid_item(self, item: Item) -> None:
        """Raises Refused for an item that is too large, or whose index keys have a wrong type."""
        if item_bytes(item) > ITEM_BYTES_MAX:
            raise invalid("Item size has exceeded the maximum allowed size")
        for index, names in self.schema.indexes.items():
            for name in names:
                if name in item and type_of(item[name]) != self.schema.types[name]:
                    raise Unfit(
                        "One or more parameter values were invalid: Type mismatch for Index Key "
                        f"{name} Expected: {self.schema.types[name]} Actual: {type_of(item[name])} IndexName: {index}"
                    )
                if name in item and item[name].get("S") == "":
                    raise invalid(
                        "One or more parameter values are not valid. A value specified for a secondary index key is "
                        "not supported. The AttributeValue for a key attribute cannot contain an empty string value. "
                        f"IndexName: {index}, IndexKey: {name}"
                    )

    def _require_own(self, request: Json) -> None:
        if request["TableName"] != self.schema.name:
            raise Refused("ResourceNotFoundException", "Requested resource not found")


def cancelled(reasons: list[Json]) -> Refused:
    """The error of a cancelled transaction, with one reason per action."""
    codes = ", ".join(reason["Code"] for reason in reasons)
    return Refused(
        "TransactionCanceledException",
        f"Transaction cancelled, please refer cancellation reasons for specific reasons [{codes}]",
        CancellationReasons=reasons,
    )


def _require_supported(operation: str, request: Json, *also: str) -> None:
    unknown = request.keys() - _SUPPORTED[operation] - {*also}
    if unknown:
        raise Unsupported(f"This table does not support {', '.join(sorted(unknown))} of {operation}.")


def _require_different(keys: list[Key]) -> None:
    if len(set(keys)) < len(keys):
        raise invalid("Provided list of item keys contains duplicates")


def _deleting(request: Json, placeholders: Placeholders) -> Result:
    return lambda key_values, old: None


def _leaving(request: Json, placeholders: Placeholders) -> Result:
    return lambda key_values, old: old


def _scan_order(value: Mapping[str, Any]) -> str:
    return hashlib.sha256(str(rank(value)).encode()).hexdigest()


def _projection(request: Json, placeholders: Placeholders) -> Callable[[Item], Item]:
    """A function that reduces an item to the requested attributes. Raises Unsupported for parts of documents."""
    if "ProjectionExpression" not in request:
        return lambda item: item
    paths = Reader("ProjectionExpression", request["ProjectionExpression"], placeholders).projection()
    if any(len(path.steps) > 1 for path in paths):
        raise Unsupported("A projection of parts of documents")
    attributes = {path.steps[0] for path in paths}
    return lambda item: {name: value for name, value in item.items() if name in attributes}


def _key_condition(condition: Condition, names: tuple[str, str]) -> tuple[Mapping[str, Any], Condition | None]:
    """The partition key's value, and the condition on the sort key. Raises Refused for any other condition."""
    terms: list[Condition] = [condition.left, condition.right] if isinstance(condition, Both) else [condition]
    partition: Mapping[str, Any] | None = None
    within: Condition | None = None
    for term in terms:
        match term:
            case Comparison("=", Path((name,)), Constant(value)) if name == names[0] and partition is None:
                partition = value
            case Comparison(operator, Path((name,)), Constant()) if name == names[1] and operator != "<>":
                within = term
            case Between(Path((name,)), Constant(), Constant()) if name == names[1]:
                within = term
            case Predicate("begins_with", Path((name,)), Constant()) if name == names[1]:
                within = term
            case _:
                raise invalid("Query key condition not supported")
    if partition is None or (len(terms) > 1 and within is None):
        raise invalid(f"Query condition missed key schema element: {names[0]}")
    return partition, within


def _changed(request: Json) -> set[str]:
    """The names of the attributes that an update changes."""
    if "UpdateExpression" not in request:
        return set()
    update = Reader("UpdateExpression", request["UpdateExpression"], Placeholders.of(request)).update()
    if request.get("ReturnValues", "").startswith("UPDATED") and any(len(path.steps) > 1 for path in update.paths()):
        raise Unsupported("Returning parts of documents")
    return {str(path.steps[0]) for path in update.paths()}


def _returned(returns: str, old: Item | None, new: Item | None, changed: set[str]) -> Item:
    image = (old if returns.endswith("OLD") else new) or {}
    if returns == "NONE":
        return {}
    if returns.startswith("ALL"):
        return image
    return {name: value for name, value in image.items() if name in changed}
