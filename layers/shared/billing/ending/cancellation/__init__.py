"""Cancelling an account, by its admins only, with every date shown before."""
