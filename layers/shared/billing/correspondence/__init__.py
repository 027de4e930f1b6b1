"""Mail about events: to whom, in which words, one for each event and recipient."""
