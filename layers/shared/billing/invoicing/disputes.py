"""What a dispute does to an invoice's money, step by step (DESIGN 3.3.10)."""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from billing.invoicing.entries import EntryKind
from billing.payments.methods import DisputeState


def dispute_steps(state: DisputeState, known: AbstractSet[EntryKind]) -> list[EntryKind]:
    """The entries that a dispute in this state still lacks. One that is won before it is lost has taken nothing."""
    if state is DisputeState.OPEN:
        steps = [EntryKind.DISPUTED]
    elif state is DisputeState.LOST:
        steps = [EntryKind.DISPUTED, EntryKind.CHARGED_BACK]
    elif EntryKind.CHARGED_BACK in known:
        steps = [EntryKind.CHARGE_BACK_WON]
    else:
        steps = [EntryKind.DISPUTE_CLOSED] if EntryKind.DISPUTED in known else []
    return [each for each in steps if each not in known]
