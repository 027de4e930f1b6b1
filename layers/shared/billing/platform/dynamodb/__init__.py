"""The one table: keys, one reader, one transaction, one meaning for each refusal."""
