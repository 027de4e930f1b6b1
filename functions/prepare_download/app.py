"""The queue of files that were asked for → prepared, and told of."""

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
    """One file."""
    event = event_of(orjson.loads(message)["detail"])
    asked = event.after or {}
    account, kind = str(event.account), DownloadKind(asked["kind"])
    try:
        ready = prepare_download(
            account,
            kind,
            asked["year"],
            now=event.time,
            correlation=correlation,
            store=wiring.download_store(),
            invoices=wiring.invoice_store(),
            documents=wiring.documents(),
        )
    except AccountNotFound:
        ready = None
    return {"account": account, "kind": kind, "files": None if ready is None else ready.files}


handler = worker(prepare, wiring.queue)
