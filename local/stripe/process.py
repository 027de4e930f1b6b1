"""The process that stands in for Stripe, and the keys that open it: they open nothing anywhere else."""

from __future__ import annotations

import hashlib
import json
import sys
from dataclasses import dataclass
from pathlib import Path

from local.background import Background, port_is_free, wait_until
from local.cloud import clean_environment
from local.settings import LocalError, Settings

START_SECONDS_MAX = 15

KEYS = {
    "api_key": "sk_test_livello",
    "publishable_key": "pk_test_livello",
    "webhook_secret": "whsec_livello",
}


@dataclass(slots=True)
class StripeStandIn:
    """The Stripe of one stack."""

    settings: Settings
    process: Background

    @classmethod
    def of(cls, settings: Settings) -> StripeStandIn:
        return cls(settings, Background("stripe", settings.folder))

    def start(self) -> None:
        """Starts it, unless it runs as it should."""
        wanted = self._wanted()
        if self.process.running():
            if self._started_with() == wanted:
                return
            self.process.stop()
        self._record.write_text(json.dumps(wanted), "utf-8")
        command: list[str | Path] = [
            *(sys.executable, "-m", "local.stripe"),
            *("--port", str(self.settings.stripe_port)),
            *("--file", self.settings.folder / "stripe-account.json"),
            *("--key", KEYS["api_key"]),
            *("--publishable-key", KEYS["publishable_key"]),
            *("--webhook-url", f"{self.settings.address}/v1/webhooks/stripe"),
            *("--webhook-secret", KEYS["webhook_secret"]),
        ]
        self.process.start(command, clean_environment())
        wait_until(lambda: not port_is_free(self.settings.stripe_port) or not self.process.running(), START_SECONDS_MAX)
        if not self.process.running():
            raise LocalError(f"The stand-in for Stripe does not start.\n{self.process.log_tail()}")

    def listens_on(self, port: int) -> bool:
        """Whether it is itself that has the port."""
        started_with = self._started_with()
        return started_with is not None and started_with["port"] == str(port)

    def stop(self) -> None:
        """Ends it. What it holds stays."""
        self.process.stop()

    @property
    def _record(self) -> Path:
        return self.settings.folder / "stripe.json"

    def _wanted(self) -> dict[str, str]:
        code = b"".join(each.read_bytes() for each in sorted(Path(__file__).parent.glob("*.py")))
        return {
            "port": str(self.settings.stripe_port),
            "address": self.settings.address,
            "code": hashlib.sha256(code).hexdigest(),
        }

    def _started_with(self) -> dict[str, str] | None:
        if not (self.process.running() and self._record.exists()):
            return None
        started_with: dict[str, str] = json.loads(self._record.read_text("utf-8"))
        return started_with
