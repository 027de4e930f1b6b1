"""Accounts: their people and roles, and the billing information that invoices use."""
