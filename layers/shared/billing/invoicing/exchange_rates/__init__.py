"""Daily exchange rates, for the tax of invoices in the seller's own currency."""
