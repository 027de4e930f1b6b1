"""Queues of the workers, and their dead letters. Amazon SQS."""
