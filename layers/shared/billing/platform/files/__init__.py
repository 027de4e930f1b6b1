"""Documents, and the archive that nobody can delete from."""
