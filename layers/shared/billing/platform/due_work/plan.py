"""A planner: hands what is due for a job to its workers, an account at a time.

It changes nothing: a worker moves the due date with what it does. So whoever is listed twice, because the schedule
fired twice or the worker has not come to it yet, is dealt with once; and a run that was missed is caught up.
"""

from __future__ import annotations

from datetime import datetime

from billing.kernel.schedules import Job
from billing.platform.due_work.records import DueStore
from billing.platform.queues.interfaces import MESSAGES_MAX, DueWork, WorkQueue


def plan_due_work(job: Job, *, now: datetime, store: DueStore, queue: WorkQueue) -> int:
    """How many accounts were handed over. Raises UpstreamFailed; what was handed over by then is."""
    planned, waiting = 0, []
    for account in store.due(job, now):
        waiting.append(DueWork(account, now))
        planned += 1
        if len(waiting) == MESSAGES_MAX:
            queue.put(waiting)
            waiting = []
    if waiting:
        queue.put(waiting)
    return planned
