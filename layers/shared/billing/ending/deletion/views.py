"""API views of deletion receipts, for staff."""

from __future__ import annotations

from datetime import datetime

from billing.ending.deletion.rules import Receipt
from billing.platform.http.models import View


class DeletionView(View):
    """What stays of an account: nothing that names anybody. `identity` is a digest by which an account that a backup
    brings back is recognised; `digest` is that of the keys of all that was deleted, in order.
    """

    receipt: str
    identity: str
    began_at: datetime
    deleted_at: datetime
    counts: dict[str, int]
    digest: str

    @classmethod
    def of(cls, receipt: Receipt) -> DeletionView:
        return cls(
            receipt=receipt.id,
            identity=receipt.identity,
            began_at=receipt.began_at,
            deleted_at=receipt.deleted_at,
            counts=dict(receipt.counts),
            digest=receipt.digest,
        )


class DeletionsView(View):
    """Newest first. `next_cursor` leads to the older ones, null where there are none."""

    items: list[DeletionView]
    next_cursor: str | None
