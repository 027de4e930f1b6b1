"""Files that are asked for: all data of an account, or a year's invoices."""
