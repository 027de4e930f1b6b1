"""Payment methods, kept by the payment service, and what may be charged to them."""
