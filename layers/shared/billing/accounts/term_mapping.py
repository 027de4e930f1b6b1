"""Maps changes of a term to the body of their item and back."""

from __future__ import annotations

from datetime import datetime

from billing.accounts.terms import NewCurrency, TermChange, TermState
from billing.kernel.contract_calendar import Contract
from billing.kernel.fields import fields_of
from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.bodies import Body, date_or_none, parsed, text, without_version
from billing.platform.dynamodb.item import Item
from billing.platform.dynamodb.reader import Row


def term_item(account: str, change: TermChange, contract: Contract) -> Item:
    """The item of a change of the term. The worker of ends finds it while it waits for consent, and while the renewal
    notice has yet to follow it. What most changes do not have is left out."""
    body = without_version(fields_of(change))
    for name in ("into", "start", "left", "began_at", "follow_at"):
        if not body[name]:
            del body[name]
    due = change.lapses_at(contract) if change.is_open else change.follow_at
    index = None if due is None else (keys.shard_of(Job.ENDING, account), keys.instant(due))
    stored = text({"term": body.pop("id"), **body})
    return Item(keys.account(account), keys.PAGE_TERM, stored, index=index)


def term_from(row: Row | None) -> TermChange | None:
    """The newest change of an account's term; None if there was none."""
    if row is None:
        return None
    body = parsed(row.body)
    return TermChange(
        id=body["term"],
        interval_months=body["interval_months"],
        from_month=body["from_month"],
        reason=body["reason"],
        proposed_at=datetime.fromisoformat(body["proposed_at"]),
        state=TermState(body["state"]),
        agreed_by=body["agreed_by"],
        agreed_at=_instant(body["agreed_at"]),
        ended_at=_instant(body["ended_at"]),
        version=row.version,
        into=_currency_from(body.get("into")),  # most changes, and all older ones, lack this and the next four
        start=date_or_none(body.get("start")),
        left=tuple(body.get("left", ())),
        began_at=_instant(body.get("began_at")),
        follow_at=_instant(body.get("follow_at")),
    )


def _currency_from(body: Body | None) -> NewCurrency | None:
    if body is None:
        return None
    prices = tuple((product, tuple((up_to, amount) for up_to, amount in tiers)) for product, tiers in body["prices"])
    return NewCurrency(body["currency"], body["catalogue_version"], prices)


def _instant(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
