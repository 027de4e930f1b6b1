"""The planner of a job: sends each account that is due to the job's work queue (DESIGN 4.2).

The planner writes nothing to the table. The worker moves the due date in the transaction that does the work. So an
account that is listed twice is processed once: the schedule may fire twice, or the queue may be slow. The next run
catches up on a missed one.
"""

from __future__ import annotations

from datetime import datetime

from billing.kernel.schedules import Job
from billing.platform.due_work.records import DueStore
from billing.platform.queues.interfaces import MESSAGES_MAX, DueWork, WorkQueue


def plan_due_work(job: Job, *, now: datetime, store: DueStore, queue: WorkQueue, clock: datetime | None = None) -> int:
    """Sends the accounts that are due at `now`; returns their number. One query per shard, one send per ten accounts.

    A replay names the `clock` at which the workers do the work.

    Raises UpstreamFailed. The messages sent before the failure stay sent.
    """
    planned, waiting = 0, []
    for account in store.due(job, now):
        waiting.append(DueWork(account, now, clock))
        planned += 1
        if len(waiting) == MESSAGES_MAX:
            queue.put(waiting)
            waiting = []
    if waiting:
        queue.put(waiting)
    return planned
