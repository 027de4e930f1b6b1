"""The one botocore session of a process: every client comes from it, so that they share what is loaded.

What it does by itself is measured with benchmarks/: a stock client takes twice the time for the same reply.
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
"""All attempts of one call together take less than a function may, so that it can still answer."""

CLIENT_CONFIG = Config(
    connect_timeout=CONNECT_TIMEOUT_SECONDS,
    read_timeout=READ_TIMEOUT_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS_MAX},
    # What we send is typed, and the service checks it anyway.
    parameter_validation=False,
    # A function is frozen between requests: an idle connection must not die unnoticed.
    tcp_keepalive=True,
    # Unless it is given, botocore puts it together from a dozen parts, twice for each call.
    user_agent=f"Botocore/{botocore.__version__}",
)
"""What every client of the session starts from."""

_TABLE_VALUE = "AttributeValue"


class PassThroughParser(JSONParser):
    """Takes a reply's JSON as it is, where the stock parser would copy it value by value along the model.

    An output with a timestamp or with binary data in it still goes the stock way, as does every error. The
    one difference: a binary attribute of a DynamoDB item stays base64 text. We have none.
    """

    def __init__(self, **defaults: Any) -> None:
        super().__init__(**defaults)
        self._plain: dict[Shape, bool] = {}  # output shapes that have been looked through

    # botocore promises nothing for these methods, nor do its stubs know them; hence the test that compares both
    # parsers, reply by reply.
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
    """Gives each protocol its parser: ours for the JSON that DynamoDB speaks, the stock one otherwise."""

    def __init__(self) -> None:
        super().__init__()
        self._json_parser = PassThroughParser()

    def create_parser(self, protocol_name: str) -> Any:
        return self._json_parser if protocol_name == "json" else super().create_parser(protocol_name)


def _is_plain(shape: Any, seen: set[str]) -> bool:
    # Whatever has a serialization of its own stands elsewhere, or under another name, than the model says.
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
    """The session, with what holds for every client. Credentials and region come from the environment."""
    session = Session()
    session.register_component("response_parser_factory", ParserFactory())
    session.set_default_client_config(CLIENT_CONFIG)
    return session
