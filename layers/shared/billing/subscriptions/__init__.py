"""What is sold, what an account subscribes to, and what its months cost."""
