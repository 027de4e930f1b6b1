"""Invoices: gapless numbers, lines that explain themselves, tax, charges, dunning, credit notes."""
