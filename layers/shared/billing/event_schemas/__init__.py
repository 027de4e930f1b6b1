"""What events look like to those who read them: one schema per kind, exported under docs/events/ (make openapi)."""
