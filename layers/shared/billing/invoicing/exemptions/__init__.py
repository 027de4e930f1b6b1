"""Exemptions of a customer from tax, with their evidence."""
