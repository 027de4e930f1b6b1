"""Our own stand-in for Stripe's API: stateful, with idempotency keys, real error bodies, signed webhooks and faults.

Only what Livello calls, and what a browser does for a customer, is here. Stripe's published behaviour is the contract:
tests/local/test_stripe_stand_in.py holds it against the official SDK. Nothing of Livello imports this.
"""
