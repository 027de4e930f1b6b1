"""Taking a deactivated account up again, on a new contract."""
