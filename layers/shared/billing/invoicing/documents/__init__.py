"""Invoices as documents: the PDF for people, and the e-invoice for machines (EN 16931)."""
