"""Payment methods at the payment service, and the amounts that can be charged to them."""
