"""What is due: the sparse index over the due items of a job. See billing.platform.dynamodb.keys."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from billing.kernel.schedules import Job
from billing.platform.dynamodb import keys
from billing.platform.dynamodb.table import Table


class DueStore(Table):
    """The due items, as a planner finds them."""

    def due(self, job: Job, until: datetime) -> Iterator[str]:
        """The accounts for which a job is due at this instant, the longest due of each shard first.

        One query for each shard, and for every further megabyte: some five thousand accounts. Lags behind by a
        moment: the work of a listed account may be done already.
        """
        for number in range(keys.SHARDS):
            for row in self._reads.query(keys.shard(job, number), " ", keys.instant(until), index=keys.INDEX):
                yield row.partition.removeprefix(keys.account(""))
