"""File stores: the documents, and the locked archive of invoices. Amazon S3."""
