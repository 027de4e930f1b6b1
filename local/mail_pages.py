"""The pages of the mailbox, for browsers and programs.

    GET /mail                 the list, newest first; ?to= filters by address, ?before= continues the list
    GET /mail.json            the same for programs
    GET /mail/<id>            one mail
    GET /mail/<id>/html       its HTML, sandboxed: no scripts, no forms, nothing from elsewhere
    GET /mail/<id>/part/<n>   one of its files or pictures
    GET /mail/<id>/raw        the whole message as it was sent

Every mail counts as hostile: its text is escaped, and its HTML is shown in a sandboxed frame.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable
from contextlib import suppress
from html import escape
from http import HTTPStatus
from urllib.parse import parse_qs, quote, urlencode

from local.letter import Letter, Part
from local.mailbox import Heading, Mail, Mailbox, Page
from local.replies import Refused, Reply

_PAGE_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
_HTML_POLICY = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src 'self' data:; base-uri 'none'; "
    "frame-ancestors 'self'"
)
_FILE_POLICY = "sandbox; default-src 'none'"

_SAFE_TYPES = frozenset(
    {
        "application/pdf",
        "application/zip",
        "image/gif",
        "image/jpeg",
        "image/png",
        "image/webp",
        "message/rfc822",
        "text/calendar",
        "text/csv",
        "text/plain",
    }
)
"""Types that no browser runs as a page or a script. Everything else is served as application/octet-stream."""

_ROUTE = re.compile(r"/mail/([^/]+)(?:/(html|raw|part/(\d{1,4})))?", re.ASCII)
_LINK = re.compile(r"https?://[^\s<>\"']+[^\s<>\"'.,;:!?)\]]")

_STYLE = """
:root { color-scheme: light dark; --line: #d8dbe0; --soft: #5c6570; --back: #f5f6f8; --link: #1a56b0; --mark: #8a5a00 }
@media (prefers-color-scheme: dark) {
  :root { --line: #3a3f47; --soft: #9aa4b0; --back: #22262c; --link: #84b4ff; --mark: #e0b060 }
}
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
a { color: var(--link) }
h1 { font-size: 1.5rem; line-height: 1.25; margin: .5rem 0 1rem; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 2rem 0 .5rem }
p.soft, .soft { color: var(--soft) }
nav { display: flex; gap: 1.25rem; flex-wrap: wrap; margin: 1rem 0 }
form { display: flex; gap: .5rem; margin: 1rem 0 1.5rem; flex-wrap: wrap }
input, button { font: inherit; padding: .35rem .7rem; border: 1px solid var(--line); border-radius: .4rem }
input { flex: 1; min-width: 12rem }
ol, ul { list-style: none; margin: 0; padding: 0 }
ol { border-top: 1px solid var(--line) }
ol a { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .6rem .5rem; text-decoration: none;
  border-bottom: 1px solid var(--line); color: inherit }
ol a:hover, ol a:focus { background: var(--back) }
ol a > * { min-width: 0; overflow: hidden; text-overflow: ellipsis; white-space: nowrap }
ol b { font-weight: 600 }
time { color: var(--soft); font-variant-numeric: tabular-nums; white-space: nowrap }
ol .mark { text-align: right }
@media (max-width: 36rem) {
  ol a { grid-template-columns: 1fr }
  ol .mark { text-align: left }
  .mark:empty { display: none }
}
.mark { color: var(--mark); font-size: .9rem }
dl { display: grid; grid-template-columns: max-content 1fr; gap: .15rem 1rem; margin: 0 }
dt { color: var(--soft) }
dd { margin: 0; overflow-wrap: anywhere; min-width: 0 }
.frame { height: 32rem; min-height: 8rem; resize: vertical; overflow: hidden; border: 1px solid var(--line);
  border-radius: .4rem; padding-bottom: .75rem }
iframe { width: 100%; height: 100%; border: 0; display: block }
pre { white-space: pre-wrap; overflow-wrap: anywhere; background: var(--back); border-radius: .4rem; padding: 1rem;
  margin: 0; font: .9rem/1.5 ui-monospace, monospace }
details { margin-top: 2rem }
summary { cursor: pointer; color: var(--soft) }
details dl { margin-top: .75rem; font-size: .85rem }
.files li { margin: .25rem 0; overflow-wrap: anywhere }
"""


def mail_reply(mailbox: Mailbox, address: str) -> Reply | None:
    """The reply to GET of a path with its query; None if the path is not of the mailbox. Raises Refused (404)."""
    path, _, question = address.partition("?")
    query = parse_qs(question)
    to, before = (query.get(name, [""])[0].strip() for name in ("to", "before"))
    if path in {"/mail", "/mail/"}:
        return _page("Mail", _list(mailbox.page(to, before), to, before))
    if path == "/mail.json":
        return _json(mailbox.page(to, before), to)
    route = _ROUTE.fullmatch(path)
    if route is None:
        return None
    mail = mailbox.find(route[1])
    if mail is None:
        raise _not_found()
    try:
        letter = mail.letter()
    except FileNotFoundError:
        raise _not_found() from None
    match route[2]:
        case None:
            return _page(letter.header("Subject") or "Mail", _reading(mail, letter))
        case "html":
            return _html(mail, letter)
        case "raw":
            return _reply("text/plain; charset=utf-8", letter.raw, _FILE_POLICY)
        case _:
            return _part(letter, int(route[3]))


def _not_found() -> Refused:
    return Refused(HTTPStatus.NOT_FOUND, "There is no such mail, or no longer: /mail")


def _list(page: Page, to: str, before: str) -> str:
    rows = "".join(_row(mail) for mail in page.mails)
    none = "None to such an address." if to else "None yet."
    newest = f"/mail?{urlencode({'to': to})}" if to else "/mail"
    links = [f'<a href="{escape(newest)}">Newest</a>'] if before else []
    if page.next is not None:
        older = urlencode({"to": to, "before": page.next} if to else {"before": page.next})
        links.append(f'<a href="/mail?{escape(older)}">Older</a>')
    return f"""<h1>Mail</h1>
<p class="soft">What the emulated AWS has sent, newest first. Nothing of it has left this machine.</p>
<form action="/mail" role="search"><input name="to" value="{escape(to)}" placeholder="To, such as ada@example.com"
 aria-label="To"><button>Show</button></form>
{f"<ol>{rows}</ol>" if rows else f"<p>{none}</p>"}
<nav>{"".join(links)}</nav>"""


def _row(mail: Mail) -> str:
    try:
        heading = mail.heading()
    except FileNotFoundError:  # deleted meanwhile
        return ""
    mark = f"{heading.attachments} attached" if heading.attachments else ""
    if not mail.is_whole:
        mark = "not whole"
    return f"""<li><a href="/mail/{mail.id}"><b>{_subject(heading)}</b>{_time(mail)}
<span class="soft">{escape(", ".join(filter(None, (heading.recipients, *heading.blind_copies))))}</span>
<span class="mark">{mark}</span></a>
"""


def _reading(mail: Mail, letter: Letter) -> str:
    here, heading = f"/mail/{mail.id}", Heading.of(letter, mail.envelope)
    sections = [
        f"<nav><a href='/mail'>All mail</a><a href='{here}/raw'>As it was sent</a></nav><h1>{_subject(heading)}</h1>"
    ]
    fields = [(name, letter.header(name)) for name in ("From", "To", "Cc", "Reply-To")]
    fields.append(("Blind copy", ", ".join(heading.blind_copies)))
    sections.append(_headers([(name, value) for name, value in fields if value], _time(mail)))
    if not mail.is_whole:
        sections.append(
            "<p class='mark'>This mail did not come in whole: this is its text from the record of the "
            "emulated SES, which cannot send non-ASCII bytes or lines that are too long.</p>"
        )
    if letter.attachments:
        sections.append(f"<h2>Attached</h2><ul class='files'>{_files(here, letter.attachments)}</ul>")
    if letter.html is not None:
        sections.append(
            f"<h2>HTML <a href='{here}/html'>alone</a></h2>"
            f"<div class='frame'><iframe sandbox='' src='{here}/html' title='The HTML of this mail'></iframe></div>"
        )
    if letter.text is not None:
        sections.append(f"<h2>Text</h2><pre>{_with_links(letter.text.text)}</pre>")
    if letter.pictures:
        sections.append(f"<h2>Pictures in the HTML</h2><ul class='files'>{_files(here, letter.pictures)}</ul>")
    sections.append(f"<details><summary>All headers</summary>{_headers(letter.headers())}</details>")
    return "\n".join(sections)


def _headers(headers: Iterable[tuple[str, str]], time: str = "") -> str:
    lines = [f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in headers]
    if time:
        lines.append(f"<dt>Sent</dt><dd>{time}</dd>")
    return f"<dl>{''.join(lines)}</dl>"


def _files(here: str, parts: Iterable[Part]) -> str:
    return "".join(
        f"<li><a href='{here}/part/{part.number}'>{escape(part.name)}</a>"
        f" <span class='soft'>{escape(part.content_type)}, {_size(len(part.content))}</span>"
        for part in parts
    )


def _size(size_bytes: int) -> str:
    return f"{size_bytes} bytes" if size_bytes < 1024 else f"{size_bytes / 1024:,.0f} KiB"


def _subject(heading: Heading) -> str:
    return escape(heading.subject) or "(no subject)"


def _time(mail: Mail) -> str:
    at = mail.received_at
    return f"<time datetime='{at.isoformat()}'>{at:%Y-%m-%d %H:%M:%S} UTC</time>"


def _with_links(text: str) -> str:
    """The escaped text with its addresses as links. The sandboxed HTML has no working links."""
    pieces, end = [], 0
    for link in _LINK.finditer(text):
        address = escape(link[0])
        pieces.append(f"{escape(text[end : link.start()])}<a href='{address}' rel='noreferrer noopener'>{address}</a>")
        end = link.end()
    return "".join([*pieces, escape(text[end:])])


def _html(mail: Mail, letter: Letter) -> Reply:
    if letter.html is None:
        raise Refused(HTTPStatus.NOT_FOUND, "This mail has no HTML.")
    html = letter.html_with_pictures(f"/mail/{mail.id}/part/")
    return _reply("text/html; charset=utf-8", html.encode("utf-8", "replace"), _HTML_POLICY)


def _part(letter: Letter, number: int) -> Reply:
    if number >= len(letter.parts):
        raise Refused(HTTPStatus.NOT_FOUND, "This mail has no such part.")
    part = letter.parts[number]
    disposition = [("Content-Disposition", _disposition(part.name))]
    return _reply(_safe_type(part), part.content, _FILE_POLICY, disposition)


def _safe_type(part: Part) -> str:
    if part.content_type not in _SAFE_TYPES:
        return "application/octet-stream"
    if part.content_type.startswith("text/") and re.fullmatch(r"[A-Za-z0-9._-]{1,40}", part.charset):
        return f"{part.content_type}; charset={part.charset}"
    return part.content_type


def _disposition(name: str) -> str:
    """The header of RFC 6266: the name in UTF-8, and in ASCII for older clients."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode()
    plain = re.sub(r"[^A-Za-z0-9._ -]", "_", plain).strip() or "attachment"
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


def _json(page: Page, to: str) -> Reply:
    query = {"to": to, "before": page.next}
    older = f"/mail.json?{urlencode({name: value for name, value in query.items() if value})}"
    document = {"items": _items(page.mails), "next": None if page.next is None else older}
    return _reply("application/json", json.dumps(document).encode(), _FILE_POLICY)


def _items(mails: Iterable[Mail]) -> list[dict[str, object]]:
    items = []
    for mail in mails:
        with suppress(FileNotFoundError):  # deleted meanwhile
            items.append(_item(mail, mail.letter()))
    return items


def _item(mail: Mail, letter: Letter) -> dict[str, object]:
    here = f"/mail/{mail.id}"
    return {
        "mail": mail.id,
        "received_at": mail.received_at.isoformat(),
        "from": letter.header("From"),
        "to": mail.envelope.recipients,
        "subject": letter.header("Subject"),
        "message_id": mail.envelope.message_id,
        "whole": mail.is_whole,
        "text": None if letter.text is None else letter.text.text,
        "html": None if letter.html is None else f"{here}/html",
        "raw": f"{here}/raw",
        "attachments": [
            {
                "name": part.name,
                "content_type": part.content_type,
                "bytes": len(part.content),
                "href": f"{here}/part/{part.number}",
            }
            for part in letter.attachments
        ],
    }


def _page(title: str, content: str) -> Reply:
    document = f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Livello: {escape(title)}</title>
<style>{_STYLE}</style>
{content}
</html>
"""
    return _reply("text/html; charset=utf-8", document.encode("utf-8", "replace"), _PAGE_POLICY)


def _reply(content_type: str, body: bytes, policy: str, headers: Iterable[tuple[str, str]] = ()) -> Reply:
    always = [
        ("Content-Type", content_type),
        ("Cache-Control", "no-store"),
        ("Content-Security-Policy", policy),
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "no-referrer"),
    ]
    return Reply(HTTPStatus.OK, [*always, *headers], body)
