"""What every area is built of: money, the contract calendar, errors, events, permissions. Standard library only."""
