"""The catalogue, the subscriptions of accounts, and the prices of contract months."""
