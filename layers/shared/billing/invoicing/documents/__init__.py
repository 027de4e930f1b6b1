"""Invoices as documents: the PDF that a person keeps, and the data that a machine reads (EN 16931)."""
