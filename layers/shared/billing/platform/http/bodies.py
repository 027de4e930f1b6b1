"""What a request sends: its headers, and its body as text, whatever its encoding; and JSON as clients write it."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable, Mapping
from decimal import Context, Decimal
from typing import Any

from billing.platform.http.media_types import JSON, elements, media_type
from billing.platform.http.problems import Malformed, TooLarge, UnsupportedEncoding, UnsupportedMediaType

Headers = Mapping[str, str]
"""Header fields by their names in lower case. Repeated lines of a field are one list (RFC 9110, 5.3)."""

FILE_TYPES = ("application/octet-stream", "application/xml", "application/zip", "text/plain", "text/xml")
"""The media types of a file that is itself the body. API Gateway passes them as bytes (BinaryMediaTypes)."""

_UNDONE = frozenset({"gzip", "x-gzip", "deflate"})
"""The content codings that API Gateway undoes."""

_GZIP_BEGINS = b"\x1f\x8b"
_ZLIB_METHOD = 8
_ZLIB_CHECK = 31
"""How HTTP's deflate begins: its method is in the lower half of the first byte, and the first two bytes are a multiple
of its check (RFC 1950, 2.2). No JSON object or array begins so."""

_INTEGER_DIGITS_MAX = 20
_DOUBLE_DIGITS = 15
"""As many decimal digits survive in a double (DBL_DIG in C). What follows them is the double's rounding error."""

_AS_DOUBLE = Context(prec=_DOUBLE_DIGITS)

_DOUBLE_PRINTED_MAX = 17
"""No double prints more digits. A longer number was meant exactly."""


def headers_of(event: Mapping[str, Any]) -> Headers:
    """The headers of an event of the gateway. `headers` has the last line of each field, `multiValueHeaders` all."""
    lines = {name: [value] for name, value in (event.get("headers") or {}).items()}
    lines |= event.get("multiValueHeaders") or {}
    return {name.lower(): ", ".join(values) for name, values in lines.items()}


def body_text(event: Mapping[str, Any], headers: Headers, characters_max: int) -> str | None:
    """The body of an event of the gateway as text. Raises TooLarge, UnsupportedEncoding, Malformed.

    API Gateway undoes a content coding itself ("Payload compression for REST APIs" in its developer guide), and the
    header may still name it. So a text is taken as it is, and only bytes that begin as encoded ones do are inflated:
    not further than the limit, whatever they would come to.
    """
    body: str | None = event.get("body")
    if not body:
        return None
    bytes_max = characters_max * 4  # the longest text in UTF-8
    too_large = TooLarge(f"The body must not be longer than {characters_max} characters.")
    # Base64 of the longest text in the longest UTF-8.
    if len(body) > (characters_max * 6 if event.get("isBase64Encoded") else characters_max):
        raise too_large
    encodings = [each.lower() for each in elements(headers.get("content-encoding"))]
    encoded = [each for each in encodings if each != "identity"]
    if len(encoded) > 1 or not _UNDONE.issuperset(encoded):
        raise UnsupportedEncoding("The body must be sent as it is, or with the Content-Encoding gzip or deflate.")
    if not event.get("isBase64Encoded"):
        return body
    try:
        content = base64.b64decode(body, validate=True)
        if encoded:
            content = _decoded(content, bytes_max)
        if len(content) > bytes_max:
            raise too_large
        text = content.decode()
    except (EOFError, OSError, ValueError, zlib.error):  # no base64, no gzip, cut off, no UTF-8
        raise Malformed("The body is not text in UTF-8, or does not have its Content-Encoding.") from None
    if len(text) > characters_max:
        raise too_large
    return text


def files_at(route: str, bytes_max: int) -> Callable[[Mapping[str, Any], Headers, int], str | None]:
    """A reader of bodies that takes files that are posted to one route, of `bytes_max` at most, and JSON everywhere.

    A file becomes the JSON {"file": its bytes in base64}, as a client may send it too. The reader raises what body_text
    raises, and UnsupportedMediaType for a file at another route.
    """

    def read(event: Mapping[str, Any], headers: Headers, characters_max: int) -> str | None:
        if media_type(headers.get("content-type")) not in FILE_TYPES or not event.get("body"):
            return body_text(event, headers, characters_max)
        if (event["httpMethod"], event["resource"]) != ("POST", route):
            raise UnsupportedMediaType(f"The body must be sent as {JSON}.")
        return json.dumps({"file": base64.b64encode(_file(event, headers, bytes_max)).decode()})

    return read


def _file(event: Mapping[str, Any], headers: Headers, bytes_max: int) -> bytes:
    body: str = event["body"]
    encoded = [each.lower() for each in elements(headers.get("content-encoding")) if each.lower() != "identity"]
    if len(encoded) > 1 or not _UNDONE.issuperset(encoded):
        raise UnsupportedEncoding("The body must be sent as it is, or with the Content-Encoding gzip or deflate.")
    try:
        content = base64.b64decode(body, validate=True) if event.get("isBase64Encoded") else body.encode()
        if encoded:
            content = _decoded(content, bytes_max)
    except (EOFError, OSError, ValueError, zlib.error):
        raise Malformed("The body does not have its Content-Encoding.") from None
    if len(content) > bytes_max:
        raise TooLarge(f"The file must not be larger than {bytes_max} bytes.")
    return content


def _decoded(content: bytes, bytes_max: int) -> bytes:
    """The content without its coding, cut after `bytes_max` and one byte. Raises EOFError, OSError, zlib.error."""
    if content.startswith(_GZIP_BEGINS):
        return gzip.GzipFile(fileobj=io.BytesIO(content)).read(bytes_max + 1)
    if content[:1] and content[0] & 0x0F == _ZLIB_METHOD and int.from_bytes(content[:2]) % _ZLIB_CHECK == 0:
        decoder = zlib.decompressobj()
        inflated = decoder.decompress(content, bytes_max + 1)
        if not decoder.eof and len(inflated) <= bytes_max:
            raise EOFError
        return inflated
    return content


def read_json(
    text: str, parse_int: Callable[[str], Any] = int, parse_constant: Callable[[str], Any] | None = None
) -> Any:
    """The parsed body. Raises Malformed if it is not JSON (RFC 8259). Numbers are int or Decimal: see `number`."""
    try:
        constant = parse_constant or _not_json
        return json.loads(text or "", parse_float=number, parse_int=parse_int, parse_constant=constant)
    except (ValueError, RecursionError):  # not JSON, a number of thousands of digits, or nested too deeply
        raise Malformed("The body is not JSON.") from None


def number(text: str) -> int | Decimal:
    """A JSON number with a point or an exponent, as it was meant.

    Most languages write numbers from doubles. 0.2 * 3 becomes 0.6000000000000001 there, and 19.99 * 100 becomes
    1998.9999999999998: such a number is rounded to the digits that a double holds. JSON has no integers of its own, so
    1.0 is the integer 1, as JSON Schema says (2020-12 validation, 6.1.1).
    """
    try:
        value = Decimal(text)
    except ArithmeticError:  # an exponent of twenty digits
        return Decimal("Infinity")
    printed = _DOUBLE_DIGITS < len(value.as_tuple().digits) <= _DOUBLE_PRINTED_MAX
    if printed and value.adjusted() < _DOUBLE_DIGITS and not _is_whole(value):
        value = _AS_DOUBLE.plus(value)
    return int(value) if _is_whole(value) else value


def _is_whole(value: Decimal) -> bool:
    """Whether a number is an integer that is short enough to be written out."""
    return value.is_zero() or (0 <= value.adjusted() < _INTEGER_DIGITS_MAX and value == value.to_integral_value())


def _not_json(constant: str) -> object:
    raise ValueError(f"{constant} is not JSON")
