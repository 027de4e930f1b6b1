"""Reviews with the customer success manager, which lead to a lower tier."""
