"""The interface to the register of VAT numbers (VIES)."""

from __future__ import annotations

from typing import Protocol

from billing.invoicing.vat_numbers.rules import Answer
from billing.kernel.errors import UpstreamFailed


class NoAnswer(UpstreamFailed):
    """The register does not say anything about the number for now. `reason` is its error code, or one of ours."""

    code = "vat-register-unavailable"

    def __init__(self, reason: str) -> None:
        super().__init__(f"The register of VAT numbers did not answer: {reason}.")
        self.reason = reason


class VatRegister(Protocol):
    """The register of the VAT numbers of all member states."""

    def check(self, number: str, requester: str | None) -> Answer:
        """Asks about a number, on behalf of `requester`; both have their country's prefix. Raises NoAnswer. One call.

        With a requester a valid number's answer has a request identifier, which is proof of the question. Asking twice
        is safe.
        """
        ...
