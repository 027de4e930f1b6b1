"""The one botocore session of a process. All clients come from it and share its loaded data.

Its own parser and settings are measured with benchmarks/: a stock client takes twice the time for the same reply.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import botocore
import orjson
from botocore.config import Config
from botocore.parsers import JSONParser, ResponseParserFactory
from botocore.session import Session

if TYPE_CHECKING:
    from botocore.model import Shape

CONNECT_TIMEOUT_SECONDS = 1
READ_TIMEOUT_SECONDS = 3
ATTEMPTS_MAX = 3
"""With these limits all attempts of a call end before the function's timeout, so the function can still answer."""

CLIENT_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
    # mypy checks our requests, and the service validates them.
    parameter_validation=False,
    # A function is frozen between requests. Keep-alive detects a connection that died meanwhile.
    tcp_keepalive=True,
    # Without it botocore builds the text from a dozen parts, twice for each call.
    user_agent=f"Botocore/{botocore.__version__}",
)
"""The default configuration of all clients of the session."""

S3_CONFIG = Config(
    signature_version="s3v4", s3={"addressing_style": "virtual", "us_east_1_regional_endpoint": "regional"}
)
"""What S3 clients add to it, for the links that they sign. Otherwise botocore signs for the global host, and in some
regions with version 2. Newer regions refuse that; elsewhere S3 redirects to a host for which the link is not signed. An
endpoint with an IP address still gets paths. https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html
"""

_TABLE_VALUE = "AttributeValue"


class PassThroughParser(JSONParser):
    """Returns the decoded JSON of a reply, where the stock parser copies it value by value along the service's model.

    The stock parser still parses outputs with timestamps or binary data, and all errors. There is one difference: a
    binary attribute of a DynamoDB item stays base64 text. Our items have none.
    """

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self._plain: dict[Shape, bool] = {}  # by output shape

    # These methods are private to botocore, and its stubs do not declare them. So tests/store/test_aws_session.py
    # compares both parsers, reply by reply.
    def _do_parse(self, response: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
        if shape is None or not self._is_plain(shape):
            return self._stock(response, shape)
        try:
            parsed: dict[str, Any] = orjson.loads(response["body"])
        except orjson.JSONDecodeError:
            return self._stock(response, shape)
        self._inject_response_metadata(parsed, response["headers"])  # type: ignore[attr-defined]
        return parsed

    def _stock(self, response: dict[str, Any], shape: Shape | None) -> dict[str, Any]:
        parsed: dict[str, Any] = super()._do_parse(response, shape)  # type: ignore[misc]
        return parsed

    def _is_plain(self, shape: Shape) -> bool:
        if shape not in self._plain:
            self._plain[shape] = _is_plain(shape, set())
        return self._plain[shape]


class ParserFactory(ResponseParserFactory):
    """Chooses the parser of a protocol: ours for JSON (DynamoDB, Cognito), the stock parser for all others."""

    def __init__(self) -> None:
        super().__init__()
        self._json_parser = PassThroughParser()

    def create_parser(self, protocol_name: str) -> Any:
        return self._json_parser if protocol_name == "json" else super().create_parser(protocol_name)


def _is_plain(shape: Any, seen: set[str]) -> bool:
    # A shape with its own serialization has another name or place in the reply than in the model.
    if shape.serialization or shape.type_name in {"timestamp", "blob"}:
        return False
    if shape.name == _TABLE_VALUE or shape.name in seen:
        return True
    seen.add(shape.name)
    return all(_is_plain(part, seen) for part in _parts(shape))


def _parts(shape: Any) -> list[Any]:
    match shape.type_name:
        case "structure":
            return [*shape.members.values()]
        case "list":
            return [shape.member]
        case "map":
            return [shape.key, shape.value]
        case _:
            return []


@cache
def aws_session() -> Session:
    """The session, with the parser and configuration of all clients. The environment gives credentials and region."""
    session = Session()
    session.register_component("response_parser_factory", ParserFactory())
    session.set_default_client_config(CLIENT_CONFIG)
    return session
