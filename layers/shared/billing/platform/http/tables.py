"""Lists as tables: CSV (RFC 4180), or a workbook for spreadsheets, as `Accept` says.

The gateway decodes the base64 of a binary answer only if the **first** media type of the Accept header is one of its
binary media types (API Gateway's developer guide, "Binary media types for REST APIs"). To make every type one of them
would break the answers to CORS preflights that SAM generates (aws/serverless-application-model, issue 553), and send
all bodies of requests as base64. So a workbook is only offered where Accept names it first: elsewhere the client would
get the base64 text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import orjson
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import AfterValidator, StringConstraints

from billing.kernel.errors import BadParameter
from billing.kernel.field_codes import FieldCode, Unfit
from billing.kernel.spreadsheet import MACHINES, Dialect, Sheet, csv_of
from billing.platform.http.answers import Response, file
from billing.platform.http.media_types import CSV, JSON, XLSX, elements, media_type, preferred

ANSWER_BYTES_MAX = 6_000_000
"""Bytes of a body within the answer of a function, which is JSON: Lambda allows 6 MB, which also hold the headers."""

ACCOUNT = "account"
"""Instead of a locale: that of the account's language."""

_LOCALE = "[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"

Accept = Annotated[
    str | None, Header(description="text/csv, or text/*, for a table; a workbook if named first. JSON if nothing fits.")
]


def _known(locale: str) -> str:
    from billing.languages.dialects import dialect_of

    try:
        if locale != ACCOUNT:
            dialect_of(locale)
    except ValueError:
        raise Unfit("must be a locale such as da or de-CH", FieldCode.UNKNOWN) from None
    return locale


_Locale = Annotated[str, StringConstraints(pattern=f"^{_LOCALE}$"), AfterValidator(_known)]
_AccountLocale = Annotated[str, StringConstraints(pattern=f"^({ACCOUNT}|{_LOCALE})$"), AfterValidator(_known)]
_DESCRIPTION = (
    "For a spreadsheet of this locale, such as da or de-CH, CSV has its decimal sign and separator, and a byte order "
    "mark. Without it, CSV has points and commas."
)

TableLocale = Annotated[_Locale | None, Query(description=_DESCRIPTION)]
AccountTableLocale = Annotated[
    _AccountLocale | None, Query(description=f"{_DESCRIPTION} `{ACCOUNT}` is that of the account's language.")
]


def preferred_type(accept: str | None) -> str:
    """The media type of a list that an Accept header prefers: JSON, CSV, or XLSX if the header names it first.

    A header that accepts none of them gets JSON, as RFC 9110 allows (12.4.1): proxies and old clients send headers that
    their users did not mean, and an answer helps them more than 406.
    """
    first = media_type(next(elements(accept), None))
    return preferred(accept, (JSON, CSV, XLSX) if first == XLSX else (JSON, CSV)) or JSON


def table(
    sheet: Sheet,
    accepted: str,
    name: str,
    locale: str | None = None,
    language: Callable[[], str] | None = None,
    link: str | None = None,
    narrowed_by: str = "year",
) -> Response[Any]:
    """200 with a sheet as the accepted media type, CSV or XLSX, in a file of this name without its ending.

    `locale` is the one of a query, `language` reads that of the account: it is called only for ACCOUNT. `link` is the
    Link header of what follows. Raises BadParameter, for the parameter `narrowed_by`, if the answer is too large.
    """
    if accepted == XLSX:
        from billing.platform.files.workbook import workbook

        answer = file(workbook(sheet), XLSX, f"{name}.xlsx", link)
    else:
        answer = file(csv_of(sheet, _dialect(locale, language)), CSV, f"{name}.csv", link)
    if len(orjson.dumps(answer.body)) > ANSWER_BYTES_MAX:
        detail = f"The table would have more than {ANSWER_BYTES_MAX:,} bytes. Ask for less of it at once."
        raise BadParameter(narrowed_by, detail, FieldCode.TOO_MANY, max=ANSWER_BYTES_MAX)
    return answer


def _dialect(locale: str | None, language: Callable[[], str] | None) -> Dialect:
    if locale is None:
        return MACHINES
    from billing.languages.dialects import dialect_of, dialect_of_language

    return dialect_of_language(language()) if locale == ACCOUNT and language is not None else dialect_of(locale)
