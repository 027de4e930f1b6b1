"""What every area runs on: the table, HTTP, queues, events, files, due work."""
