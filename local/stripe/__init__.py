"""Our own stand-in for Stripe's API: stateful, with idempotency keys, real error bodies, signed webhooks and faults.

It has only the calls that Livello makes, and those of a customer's browser. It refuses what Stripe refuses; each rule
names its published source. tests/local/test_stripe_contract.py compares it with the official SDK, and with Stripe's
test mode where STRIPE_TEST_KEY is set. tests/local/test_stripe_stand_in.py tests what only its switches can cause. No
deployed code imports this package.
"""
