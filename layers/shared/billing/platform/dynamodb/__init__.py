"""The one table: keys, one reader, one transaction, and one mapping from DynamoDB's refusals to errors."""
