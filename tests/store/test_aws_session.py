"""The parser of billing.platform.aws_session returns the same as botocore's, for every kind of reply that we get."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from http import HTTPStatus
from io import BytesIO
from typing import Any
from zlib import crc32

import pytest
from billing.platform.aws_session import ATTEMPTS_MAX, ParserFactory, PassThroughParser, aws_session
from botocore.awsrequest import AWSResponse, HeadersDict
from botocore.exceptions import ClientError
from botocore.parsers import JSONParser
from botocore.session import Session

REGION = "eu-central-1"
HEADERS = {"x-amzn-RequestId": "7B0P3Q", "Content-Type": "application/x-amz-json-1.0", "Server": "Server"}

ITEM = {
    "pk": {"S": "ACCOUNT#nordlys-kaffe"},
    "sk": {"S": "PAGE#ACCOUNT"},
    "version": {"N": "12345678901234567890.123"},
    "body": {"S": '{"name":"København ☕"}'},
    "nothing": {"NULL": True},
    "flag": {"BOOL": False},
    "list": {"L": [{"S": "a"}, {"M": {"deep": {"N": "1"}}}, {"L": []}]},
    "names": {"SS": ["a", "b"]},
    "numbers": {"NS": ["1", "2"]},
    "empty": {"M": {}},
}
KEYS = {name: ITEM[name] for name in ("pk", "sk")}
CONSUMED = {"TableName": "livello", "CapacityUnits": 0.5, "Table": {"CapacityUnits": 0.5}}
PERSON = {
    "Username": "user-1",
    "UserCreateDate": 1795399200.123,
    "UserLastModifiedDate": 1795399200,
    "Enabled": True,
    "UserStatus": "FORCE_CHANGE_PASSWORD",
}
SUBJECT = [{"Name": "sub", "Value": "user-1"}, {"Name": "email", "Value": "ada@nordlys.example"}]

SUCCESSES: list[tuple[str, str, dict[str, Any]]] = [
    ("dynamodb", "Query", {"Items": [ITEM, KEYS], "Count": 2, "ScannedCount": 2, "LastEvaluatedKey": KEYS}),
    ("dynamodb", "Query", {"Items": [], "Count": 0, "ScannedCount": 0, "ConsumedCapacity": CONSUMED}),
    ("dynamodb", "GetItem", {"Item": ITEM, "ConsumedCapacity": CONSUMED}),
    ("dynamodb", "GetItem", {}),
    ("dynamodb", "PutItem", {}),
    ("dynamodb", "PutItem", {"Attributes": ITEM}),
    ("dynamodb", "UpdateItem", {"Attributes": ITEM}),
    ("dynamodb", "DeleteItem", {"Attributes": ITEM}),
    ("dynamodb", "TransactWriteItems", {}),
    ("dynamodb", "TransactWriteItems", {"ConsumedCapacity": [CONSUMED]}),
    ("dynamodb", "TransactGetItems", {"Responses": [{"Item": ITEM}, {}]}),
    (
        "dynamodb",
        "BatchGetItem",
        {
            "Responses": {"livello": [ITEM]},
            "UnprocessedKeys": {"livello": {"Keys": [KEYS], "ConsistentRead": True}},
        },
    ),
    ("dynamodb", "BatchWriteItem", {"UnprocessedItems": {"livello": [{"PutRequest": {"Item": ITEM}}]}}),
    ("cognito-idp", "AdminCreateUser", {"User": {**PERSON, "Attributes": SUBJECT}}),
    ("cognito-idp", "AdminGetUser", {**PERSON, "UserAttributes": SUBJECT, "UserMFASettingList": []}),
    (
        "cognito-idp",
        "AdminListGroupsForUser",
        {"Groups": [{"GroupName": "staff", "CreationDate": 1795399200.5, "Precedence": 0}], "NextToken": "n"},
    ),
]

DYNAMODB_ERROR = "com.amazonaws.dynamodb.v20120810#"
FAILURES: list[tuple[str, str, int, bytes]] = [
    (
        "dynamodb",
        "PutItem",
        400,
        json.dumps(
            {
                "__type": f"{DYNAMODB_ERROR}ConditionalCheckFailedException",
                "message": "The conditional request failed",
                "Item": ITEM,
            }
        ).encode(),
    ),
    (
        "dynamodb",
        "TransactWriteItems",
        400,
        json.dumps(
            {
                "__type": f"{DYNAMODB_ERROR}TransactionCanceledException",
                "Message": "Transaction cancelled [None, ConditionalCheckFailed]",
                "CancellationReasons": [
                    {"Code": "None"},
                    {"Code": "ConditionalCheckFailed", "Message": "The conditional request failed", "Item": ITEM},
                    {"Code": "TransactionConflict", "Message": "Transaction is ongoing for the item"},
                ],
            }
        ).encode(),
    ),
    (
        "dynamodb",
        "Query",
        400,
        f'{{"__type":"{DYNAMODB_ERROR}ProvisionedThroughputExceededException","message":"Slow down"}}'.encode(),
    ),
    ("dynamodb", "Query", 400, b'{"__type":"com.amazon.coral.availability#ThrottlingException"}'),
    ("dynamodb", "Query", 500, f'{{"__type":"{DYNAMODB_ERROR}InternalServerError","message":"Sorry"}}'.encode()),
    ("dynamodb", "Query", 503, b"<html><body><b>Http/1.1 Service Unavailable</b></body></html>"),
    ("dynamodb", "Query", 500, b""),
    (
        "cognito-idp",
        "AdminCreateUser",
        400,
        b'{"__type":"UsernameExistsException","message":"An account with the given email already exists."}',
    ),
]


@cache
def _stock_session() -> Session:
    return Session()


@cache
def _output(service: str, operation: str) -> Any:
    return _service(service).operation_model(operation).output_shape


@cache
def _service(name: str) -> Any:
    return _stock_session().get_service_model(name)


def parsed_by(parser: JSONParser, service: str, operation: str, status: int, body: bytes) -> Any:
    """The result of a parser for a reply."""
    reply = {"status_code": status, "headers": HeadersDict(HEADERS), "body": body, "context": {}}
    return parser.parse(reply, _output(service, operation))


@pytest.mark.parametrize(("service", "operation", "reply"), SUCCESSES)
def test_a_reply_is_parsed_as_botocore_parses_it(service: str, operation: str, reply: dict[str, Any]) -> None:
    body = json.dumps(reply, ensure_ascii=False).encode()
    stock = parsed_by(JSONParser(), service, operation, 200, body)
    assert parsed_by(PassThroughParser(), service, operation, 200, body) == stock
    assert stock["ResponseMetadata"]["RequestId"] == HEADERS["x-amzn-RequestId"]


@pytest.mark.parametrize(("service", "operation", "status", "body"), FAILURES)
def test_an_error_is_parsed_as_botocore_parses_it(service: str, operation: str, status: int, body: bytes) -> None:
    stock = parsed_by(JSONParser(), service, operation, status, body)
    assert parsed_by(PassThroughParser(), service, operation, status, body) == stock
    assert stock["Error"]["Code"]


@pytest.mark.parametrize("body", [b"", b"no JSON", b"{"])
def test_a_body_that_is_no_json_is_left_to_botocore(body: bytes) -> None:
    stock = parsed_by(JSONParser(), "dynamodb", "Query", 200, body)
    assert parsed_by(PassThroughParser(), "dynamodb", "Query", 200, body) == stock


def test_a_timestamp_is_parsed_from_the_first_and_from_later_replies() -> None:
    parser = PassThroughParser()
    body = json.dumps({**PERSON, "UserAttributes": SUBJECT}).encode()
    for _ in range(2):
        user = parsed_by(parser, "cognito-idp", "AdminGetUser", 200, body)
        assert isinstance(user["UserCreateDate"], datetime)


def test_a_binary_attribute_of_an_item_is_the_one_difference() -> None:
    body = b'{"Item":{"document":{"B":"aGVsbG8="}}}'
    assert parsed_by(JSONParser(), "dynamodb", "GetItem", 200, body)["Item"]["document"]["B"] == b"hello"
    ours = parsed_by(PassThroughParser(), "dynamodb", "GetItem", 200, body)
    assert ours["Item"]["document"]["B"] == "aGVsbG8="


@pytest.mark.parametrize(
    ("service", "operation", "field", "sent", "parsed"),
    [("kms", "Encrypt", "CiphertextBlob", "aGVsbG8=", b"hello"), ("sqs", "SendMessage", "MessageId", "1", "1")],
)
def test_outputs_of_other_services_are_parsed_right(
    service: str, operation: str, field: str, sent: str, parsed: object
) -> None:
    body = json.dumps({field: sent}).encode()
    assert parsed_by(PassThroughParser(), service, operation, 200, body)[field] == parsed


def test_other_protocols_keep_their_parser() -> None:
    assert not isinstance(ParserFactory().create_parser("query"), PassThroughParser)
    assert isinstance(ParserFactory().create_parser("json"), PassThroughParser)


# ---- Through a client ----


@dataclass
class Service:
    """Stands in for DynamoDB; always gives the same answer."""

    status: int
    body: bytes
    calls: int = 0

    def answer(self, request: Any, **_: Any) -> Any:
        self.calls += 1
        headers: Any = {**HEADERS, "x-amz-crc32": str(crc32(self.body))}
        return AWSResponse(request.url, self.status, headers, _Reply(self.body))


class _Reply(BytesIO):
    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self.read()


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", REGION)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)


def _client_of(session: Session, service: Service) -> Any:
    client: Any = session.create_client("dynamodb")
    client.meta.events.register_first("before-send.dynamodb", service.answer)
    return client


def _queried(session: Session, service: Service) -> Any:
    return _client_of(session, service).query(
        TableName="livello",
        KeyConditionExpression="pk = :pk",
        ExpressionAttributeValues={":pk": KEYS["pk"]},
    )


def test_our_client_returns_the_same_reply_as_a_stock_client() -> None:
    body = json.dumps({"Items": [ITEM], "Count": 1, "ScannedCount": 1}).encode()
    ours = _queried(aws_session(), Service(200, body))
    assert ours == _queried(_stock_session(), Service(200, body))
    assert ours["ResponseMetadata"]["RetryAttempts"] == 0


@pytest.mark.parametrize("status", [HTTPStatus.BAD_REQUEST, HTTPStatus.INTERNAL_SERVER_ERROR])
def test_throttles_and_server_errors_are_retried_up_to_the_limit(status: HTTPStatus) -> None:
    service = Service(status, b'{"__type":"com.amazonaws#ThrottlingException","message":"Slow down"}')
    with pytest.raises(ClientError) as failure:
        _queried(aws_session(), service)
    assert service.calls == ATTEMPTS_MAX
    assert failure.value.response["Error"] == {"Code": "ThrottlingException", "Message": "Slow down"}
    assert failure.value.response["ResponseMetadata"]["RetryAttempts"] == ATTEMPTS_MAX - 1


def test_a_failed_condition_is_not_retried() -> None:
    service = Service(400, FAILURES[0][3])
    client = _client_of(aws_session(), service)
    with pytest.raises(client.exceptions.ConditionalCheckFailedException) as failure:
        client.put_item(TableName="livello", Item=ITEM)
    assert service.calls == 1
    assert failure.value.response["Item"] == ITEM


def test_every_client_has_the_timeouts_and_the_retry_limit() -> None:
    config: Any = aws_session().create_client("cognito-idp").meta.config
    assert (config.connect_timeout, config.read_timeout) == (1, 3)
    assert config.retries == {"mode": "standard", "total_max_attempts": ATTEMPTS_MAX}
    assert config.tcp_keepalive
