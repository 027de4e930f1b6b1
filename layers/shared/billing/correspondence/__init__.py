"""Mail about events: its recipients, its texts, and exactly one mail per event and recipient."""
