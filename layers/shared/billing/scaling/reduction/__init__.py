"""Which content to remove so that the usage fits the next lower tier."""
