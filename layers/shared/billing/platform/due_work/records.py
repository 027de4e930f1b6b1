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

        One query per shard and megabyte (some five thousand accounts). The index is eventually consistent: a worker
        may have processed a listed account already.
        """
        for number in range(keys.SHARDS):
            for row in self._reads.query(keys.shard(job, number), " ", keys.instant(until), index=keys.INDEX):
                yield row.partition.removeprefix(keys.account(""))
