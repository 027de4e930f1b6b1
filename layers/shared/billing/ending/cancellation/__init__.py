"""Cancelling an account: only its admins can, and they see every date before (DESIGN 3.1)."""
