"""Bank statements: what the bank says has arrived, and which invoices it pays (decision 0042)."""
