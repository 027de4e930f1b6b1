"""The sparse index of due items (DESIGN 4.2). See billing.platform.dynamodb.keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.table import Table


class DueStore(Table):
    """Reads the due items for a planner."""

    def due(self, job: Job, until: datetime) -> Iterator[str]:
        """The ids of the accounts for which the job is due at `until`; within a shard the earliest comes first.

        An account has several due items where each of its invoices is one. It is listed once: all of its items are in
        one shard. One query per shard and megabyte (some five thousand items). The index is eventually consistent: a
        worker may have processed a listed account already.
        """
        for number in range(keys.SHARDS):
            rows = self._reads.query(keys.shard(job, number), " ", keys.instant(until), index=keys.INDEX)
            listed: set[str] = set()
            for row in rows:
                if row.partition not in listed:
                    listed.add(row.partition)
                    yield row.partition.removeprefix(keys.account(""))
