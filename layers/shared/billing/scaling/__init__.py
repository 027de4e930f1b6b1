"""Tiers that follow usage: autoscaling upwards, reviews and reduction advice downwards."""
