"""GET /openapi.json: the API's description, as it was generated from the code that answers."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any


@cache
def _document() -> str:
    return (Path(__file__).parent / "openapi.json").read_text(encoding="utf-8")


def handler(_event: Mapping[str, Any], _context: object) -> dict[str, Any]:
    """Anybody may read it, from anywhere: it holds nothing of any account."""
    return {
        "statusCode": 200,
        "headers": {
            "Content-Type": "application/json",
            "Cache-Control": "public, max-age=300",
            "Access-Control-Allow-Origin": "*",
        },
        "body": _document(),
    }
