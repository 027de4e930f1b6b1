"""Test clocks: accounts whose time staff advance, and everything that is due by then is done (DESIGN 4.8)."""
