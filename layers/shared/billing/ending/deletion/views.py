"""API views of deletion receipts, for staff."""

from __future__ import annotations

from datetime import date, datetime

from billing.ending.deletion.rules import NotAsked, Receipt
from billing.platform.http.models import View

KEPT_BECAUSE = (
    "GDPR art. 17(3)(b) and (e): bookkeeping law, and the establishment, exercise or defence of legal claims."
)


class DeletionView(View):
    """What stays of an account: nothing that names anybody. `kept` counts what is still owed in either direction: the
    `claims` of the vendor and the `repayments` to the customer. They stay until they are settled, at most through
    `kept_until`, for the reason in `kept_because`. `identity` is a digest by which an account that a backup
    brings back is recognised; `archived_until` is the last day on which any of its invoices is in the archive;
    `not_asked` names the services that could not be asked: `payment_service` for want of a key, `customer_left` if a
    customer is known to be there, who must be deleted by hand; `digest` is that of the keys of all that was
    deleted, in order.
    """

    receipt: str
    identity: str
    began_at: datetime
    deleted_at: datetime
    counts: dict[str, int]
    digest: str
    kept: dict[str, int]
    kept_until: date | None
    archived_until: date | None
    not_asked: list[NotAsked]
    kept_because: str | None

    @classmethod
    def of(cls, receipt: Receipt) -> DeletionView:
        return cls(
            receipt=receipt.id,
            identity=receipt.identity,
            began_at=receipt.began_at,
            deleted_at=receipt.deleted_at,
            counts=dict(receipt.counts),
            digest=receipt.digest,
            kept=dict(receipt.kept),
            kept_until=receipt.kept_until,
            archived_until=receipt.archived_until,
            not_asked=[*receipt.not_asked],
            kept_because=KEPT_BECAUSE if receipt.kept else None,
        )


class DeletionsView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[DeletionView]
    next_cursor: str | None
