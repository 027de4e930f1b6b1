"""Tells staff that an exemption from tax ends, WARNED_DAYS before, once for each end."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from billing.accounts.rules import Status
from billing.invoicing.exemptions.records import ExemptionStore
from billing.invoicing.exemptions.rules import exemption_facts
from billing.kernel.events import EventType, by_system
from billing.platform.events.new_event import new_event


def warn_ending_exemption(
    account: str, *, now: datetime, correlation: str, store: ExemptionStore, is_replay: bool = False
) -> bool:
    """Records the event of an end that is near. Returns whether staff are told.

    Of several ends that are due each has an event of its own, one in each run. A deactivated account has no charge to
    come, so nothing is told. One read, and one transaction where an end is due. Raises ConcurrentChange.
    """
    found = store.exempt(account)
    if found is None:
        return False
    owner, exemptions = found
    end, at = exemptions.next_end, exemptions.warned_at(owner.contract)
    if end is None or at is None or at > now:
        return False
    ending = next(each for each in exemptions.entries if each.valid_until == end)
    facts = {"exemption": exemption_facts(ending), "ends_on": end}
    context = by_system(now, correlation, is_replay=is_replay)
    event = new_event(EventType.TAX_EXEMPTION_ENDING, context, account=account, before=None, after=facts)
    is_told = owner.status is not Status.DEACTIVATED
    store.tell(owner, replace(exemptions, told_through=end), event if is_told else None)
    return is_told
