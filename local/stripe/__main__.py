"""`python -m local.stripe`: runs the stand-in as a process of its own."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from pathlib import Path

from local.stripe.api import Stripe
from local.stripe.server import StandIn, Webhook, serve


def main() -> None:
    """Serves until SIGTERM."""
    parser = argparse.ArgumentParser(prog="python -m local.stripe")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--file", type=Path, required=True)
    parser.add_argument("--key", required=True)
    parser.add_argument("--publishable-key", required=True)
    parser.add_argument("--webhook-url", required=True)
    parser.add_argument("--webhook-secret", required=True)
    parser.add_argument("--page", required=True)
    arguments = parser.parse_args()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    stripe = Stripe(arguments.key, arguments.publishable_key, time.time)
    serve(
        StandIn(stripe, Webhook(arguments.webhook_url, arguments.webhook_secret), arguments.file, arguments.page),
        arguments.port,
        ended.wait,
    )


if __name__ == "__main__":
    main()
