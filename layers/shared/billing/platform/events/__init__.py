"""Events: written with each change, kept as the audit log, published to a bus (DESIGN 4.4)."""
