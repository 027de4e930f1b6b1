"""Queue worker: prepares a requested download. The event that it writes announces the file by mail."""

from collections.abc import Mapping
from typing import Any

import orjson
from billing import wiring
from billing.ending.exports.prepare import prepare_download
from billing.ending.exports.rules import DownloadKind
from billing.kernel.errors import AccountNotFound
from billing.platform.events.mapping import event_of
from billing.platform.workers import worker


def prepare(message: str, correlation: str) -> Mapping[str, Any]:
    """Prepares one download, none for a deleted account. Raises BillingError, which retries the message."""
    event = event_of(orjson.loads(message)["detail"])
    request = event.after or {}
    account, kind = str(event.account), DownloadKind(request["kind"])
    try:
        ready = prepare_download(
            account,
            kind,
            request["year"],
            now=event.time,
            correlation=correlation,
            store=wiring.download_store(),
            invoices=wiring.invoice_store(),
            documents=wiring.documents(),
            requested=request["download"],
        )
    except AccountNotFound:
        ready = None
    return {"account": account, "kind": kind, "files": None if ready is None else ready.files}


handler = worker(prepare, wiring.queue)
