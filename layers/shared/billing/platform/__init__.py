"""The technical base of all areas: the table, HTTP, queues, events, files, due work."""
