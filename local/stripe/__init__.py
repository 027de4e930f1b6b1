"""Our own stand-in for Stripe's API: stateful, with idempotency keys, real error bodies, signed webhooks and faults.

Only what Livello calls, and what a browser does for a customer, is here; and it refuses what Stripe refuses, each rule
with its published source beside it. tests/local/test_stripe_contract.py holds it against the official SDK, and against
Stripe's test mode where STRIPE_TEST_KEY is set; tests/local/test_stripe_stand_in.py shows what only its switches can
bring about. Nothing of Livello imports this.
"""
