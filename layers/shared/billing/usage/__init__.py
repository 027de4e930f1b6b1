"""Usage: counted exactly once, added up by product, store and content, forecast, and compared with its tier."""
