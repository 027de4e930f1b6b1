"""The stand-in's Stripe.js and the frame of its card form, as files that the stand-in serves.

    GET /v3/, /endive/stripe.js    the script that the page loads (docs.stripe.com/js/including)
    GET /frame                     the form, and the bank's question, in an iframe; only the page may frame it

The frame has the stand-in's origin, as Stripe's frames have Stripe's: what is typed never reaches the page.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parent

RELEASE = "endive"
"""The release of Stripe.js that goes with API_VERSION. @stripe/stripe-js 10 loads /endive/stripe.js."""

_FILES = {
    "/v3": "stripe.js",
    "/v3/": "stripe.js",
    f"/{RELEASE}/stripe.js": "stripe.js",
    "/frame": "frame.html",
    "/frame.css": "frame.css",
    "/frame.js": "frame.js",
}
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
}
_ORIGIN = '<meta name="page-origin" content="">'


@dataclass(frozen=True, slots=True)
class File:
    """The body and headers of a file."""

    content: bytes
    headers: dict[str, str]


def file_at(path: str, page: str) -> File | None:
    """The file at a path without its query, None if there is none. `page` is the origin that may show the frame."""
    if path not in _FILES:
        return None
    name = _FILES[path]
    content = (FOLDER / name).read_text()
    if name == "frame.html":
        content = content.replace(_ORIGIN, f'<meta name="page-origin" content="{escape(page)}">')
    headers = {
        "Content-Type": _TYPES[Path(name).suffix],
        "Cache-Control": "no-cache",
        "Content-Security-Policy": _policy(page),
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
    }
    return File(content.encode(), headers)


def _policy(page: str) -> str:
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src data:",
            "connect-src 'self'",
            "form-action 'none'",
            "base-uri 'none'",
            f"frame-ancestors {page}",
        )
    )
