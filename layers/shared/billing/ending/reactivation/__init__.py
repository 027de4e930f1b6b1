"""Reactivating a deactivated account, on a new contract."""
