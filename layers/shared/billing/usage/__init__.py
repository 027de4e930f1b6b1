"""Usage: counted exactly once, summed by product, store and content, forecast, and watched against its tier."""
