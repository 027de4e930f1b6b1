"""The erasure of a person in API answers."""

from __future__ import annotations

from billing.ending.erasure.rules import Erasure
from billing.platform.http.models import View


class ErasureView(View):
    """An erasure that is under way. `erased_as` takes the place of the person in the account's record. The event
    `user.erased` names it when nothing else is left."""

    erased_as: str

    @classmethod
    def of(cls, erasure: Erasure) -> ErasureView:
        return cls(erased_as=erasure.pseudonym)
