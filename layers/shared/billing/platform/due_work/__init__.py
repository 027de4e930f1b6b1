"""Due work: a planner lists the accounts that are due, a worker processes one at a time (DESIGN 4.2)."""
