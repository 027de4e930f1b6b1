"""Staff decide what invoices do about a VAT number that VIES has not confirmed."""

from __future__ import annotations

from dataclasses import replace

from billing.invoicing.vat_numbers.records import VatNumberState, VatNumberStore
from billing.invoicing.vat_numbers.rules import (
    NoVatNumber,
    Treatment,
    VatNumberCheck,
    VatNumberDecision,
    asked_number,
    relevant,
)
from billing.kernel.errors import StaleVersion, VersionRequired
from billing.kernel.events import EventType, RequestContext
from billing.kernel.versions import Versions, includes
from billing.platform.events.new_event import new_event


def decide_vat_number(
    state: VatNumberState,
    treatment: Treatment,
    reason: str,
    replaces: Versions | None,
    *,
    context: RequestContext,
    store: VatNumberStore,
) -> VatNumberCheck:
    """Records staff's decision about the account's present number; returns the check with it.

    It lasts until VIES confirms the number or the company changes it. `replaces` is the version of the check that the
    caller has seen, 0 for none yet. A decision that is recorded already is not written again. One transaction. Raises
    NoVatNumber, VersionRequired, StaleVersion.
    """
    number = asked_number(state.company.vat_number)
    if number is None:
        raise NoVatNumber
    version = 0 if state.check is None else state.check.version
    known = relevant(state.check, state.company)
    decided_before = None if known is None else known.decision
    if known and decided_before and (decided_before.treatment, decided_before.reason) == (treatment, reason):
        return known
    if replaces is None:
        raise VersionRequired("Name the version that this replaces: If-Match with its ETag, or If-None-Match: *.")
    if not includes(replaces, version):
        raise StaleVersion
    decision = VatNumberDecision(treatment, reason, str(context.actor.user), context.time)
    before = known or VatNumberCheck(number, version=version)
    decided = replace(before, decision=decision)
    event = new_event(
        EventType.VAT_NUMBER_DECIDED,
        context,
        account=state.account.id,
        before=None if before.decision is None else _facts(number, before.decision),
        after=_facts(number, decision),
    )
    store.decide(state, decided, event)
    return replace(decided, version=version + 1)


def _facts(number: str, decision: VatNumberDecision) -> dict[str, object]:
    return {"number": number, "treatment": decision.treatment, "reason": decision.reason}
