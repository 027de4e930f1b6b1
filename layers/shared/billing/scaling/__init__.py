"""Tiers follow usage: autoscaling moves up; reviews and reduction advice lead down."""
