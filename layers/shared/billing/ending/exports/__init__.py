"""Downloads that users request: all data of an account, or a year's invoices."""
