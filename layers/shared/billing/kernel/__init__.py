"""Values that all areas share: money, the contract calendar, errors, events, permissions. Standard library only."""
