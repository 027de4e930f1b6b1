"""Due work: what a planner lists and a worker does, one account at a time."""
