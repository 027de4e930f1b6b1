"""Reviews with the customer success manager. A review can lead to a lower tier."""
