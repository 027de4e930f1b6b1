"""Deleting an account: resumable after every step, with a receipt that names no person (DESIGN 3.7)."""
