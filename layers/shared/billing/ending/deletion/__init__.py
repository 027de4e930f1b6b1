"""Deleting an account: resumable after every step, with a receipt that names nobody."""
