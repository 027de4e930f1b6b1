"""The files of the billing page, as the front door serves them.

    GET /                 index.html with the configuration of this stack
    GET /assets/<name>    scripts and styles; a name holds a digest of its content, so a browser may keep it
    GET /<name>           the other files of the build, such as theme.css and logo.svg

In the cloud the same files are in a bucket behind a distribution (template.yaml). Nothing here asks the emulated AWS,
except for the values of the configuration.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from html import escape
from http import HTTPStatus
from pathlib import Path

from local.replies import Refused, Reply

NOT_BUILT = (
    "The billing page is not built: make portal builds it, then reload. The API is at /v1, sent mail at /mail.\n"
)

MEDIA_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webp": "image/webp",
    ".woff2": "font/woff2",
}
"""The types of files that are served, by suffix. Other files of the folder are not found."""

COMPRESSED = frozenset({".css", ".html", ".js", ".json", ".svg", ".txt"})

_ROUTE = re.compile(r"/(?P<name>(?P<assets>assets/)?[A-Za-z0-9_-][A-Za-z0-9._-]*)?", re.ASCII)
_CONFIGURATION = re.compile(r'<meta name="livello-config" content="[^"]*"')


@dataclass(frozen=True, slots=True)
class PageConfiguration:
    """What the page reads from its own HTML. The names are the contract with portal/src."""

    vendor: str
    client_id: str
    login: str
    """Where /oauth2/authorize and /logout are: an origin, without a slash at the end."""

    stripe_script: str
    stripe_key: str
    """The publishable key; empty if there is none."""

    support: str | None
    """The e-mail address for questions."""


def with_configuration(page: str, configuration: PageConfiguration) -> str:
    """The HTML of the page with its configuration. Raises ValueError if it has not one place for it."""
    content = escape(json.dumps(asdict(configuration), ensure_ascii=False))
    configured, places = _CONFIGURATION.subn(lambda _: f'<meta name="livello-config" content="{content}"', page)
    if places != 1:
        raise ValueError(f'index.html has {places} places for the configuration: <meta name="livello-config" …>')
    return configured


def content_security_policy(stripe: str) -> str:
    """The policy of the page. `stripe` is the origin of Stripe's script, frames and API, which are one here."""
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src 'self' {stripe}",
            "style-src 'self'",
            "img-src 'self' data:",
            "font-src 'self'",
            f"connect-src 'self' {stripe}",
            f"frame-src {stripe}",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    )


def accepts_gzip(header: str | None) -> bool:
    """Whether an Accept-Encoding allows gzip (RFC 9110, 12.5.3)."""
    weights = {}
    for each in (header or "").lower().split(","):
        coding, _, weight = each.partition(";")
        weights[coding.strip()] = weight.replace(" ", "") not in {"q=0", "q=0.0", "q=0.00", "q=0.000"}
    return weights.get("gzip", weights.get("*", False))


@dataclass(frozen=True, slots=True)
class _Prepared:
    """A file in memory, plain and compressed."""

    source: tuple[object, ...]
    """What it was prepared from. Another source makes it stale."""

    plain: bytes
    compressed: bytes | None


@dataclass(slots=True)
class PortalFiles:
    """The built page in `folder`. Each file is read and compressed once, and again if it changes."""

    folder: Path
    policy: str
    _prepared: dict[str, _Prepared] = field(default_factory=dict)

    def reply(
        self, path: str, accept_encoding: str | None, configuration: Callable[[], PageConfiguration]
    ) -> Reply | None:
        """The reply to GET of a path without its query; None if the page has no such file.

        Raises Refused (500) if index.html has no place for the configuration, and what `configuration` raises.
        """
        route = _ROUTE.fullmatch(path)
        if route is None:
            return None
        name = route["name"] or "index.html"
        suffix = Path(name).suffix
        if suffix not in MEDIA_TYPES:
            return None
        try:
            file = (self.folder / name).resolve(strict=True)
            if not file.is_relative_to(self.folder.resolve()) or not file.is_file():
                return None
            prepared = self._prepare(name, file, configuration() if suffix == ".html" else None)
        except OSError:  # not built, or built again at this moment
            self._prepared.pop(name, None)
            return _not_built() if path == "/" else None
        headers = [
            ("Content-Type", MEDIA_TYPES[suffix]),
            # The name of an asset changes with its content. Every other name stays.
            ("Cache-Control", "public, max-age=31536000, immutable" if route["assets"] else "no-cache"),
            ("Content-Security-Policy", self.policy),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ]
        if prepared.compressed is None:
            return Reply(HTTPStatus.OK, headers, prepared.plain)
        headers.append(("Vary", "Accept-Encoding"))
        if not accepts_gzip(accept_encoding):
            return Reply(HTTPStatus.OK, headers, prepared.plain)
        return Reply(HTTPStatus.OK, [*headers, ("Content-Encoding", "gzip")], prepared.compressed)

    def _prepare(self, name: str, file: Path, configuration: PageConfiguration | None) -> _Prepared:
        stat = file.stat()
        source = (stat.st_mtime_ns, stat.st_size, configuration)
        prepared = self._prepared.get(name)
        if prepared is None or prepared.source != source:
            content = file.read_bytes()
            if configuration is not None:
                try:
                    content = with_configuration(content.decode(), configuration).encode()
                except ValueError as failure:
                    raise Refused(HTTPStatus.INTERNAL_SERVER_ERROR, f"{failure}. Build it again: make portal") from None
            compressed = gzip.compress(content, mtime=0) if file.suffix in COMPRESSED else None
            prepared = self._prepared[name] = _Prepared(source, content, compressed)
        return prepared


def _not_built() -> Reply:
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")]
    return Reply(HTTPStatus.NOT_FOUND, headers, NOT_BUILT.encode())
