"""GET /openapi.json: the OpenAPI document, which is generated from the code of the routes."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from cold_start import log_cold_start

log_cold_start()  # other functions write this line with their first import of billing


@cache
def _document() -> str:
    return (Path(__file__).parent / "openapi.json").read_text(encoding="utf-8")


def handler(_event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Returns the document, to everybody and every web origin: it holds no account's data."""
    return {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "public, max-age=300",
            "Access-Control-Allow-Origin": "*",
        },
        "body": _document(),
    }
