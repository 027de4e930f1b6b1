"""Erasing one person from an account's record: resumable after every step (DESIGN 3.8)."""
