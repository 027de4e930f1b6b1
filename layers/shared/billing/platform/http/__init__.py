"""The frame of all HTTP functions: callers, bodies and views, problem documents, pages, versions (DESIGN 5)."""
