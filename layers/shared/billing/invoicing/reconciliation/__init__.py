"""The comparison of the books: what Livello has of an account's money with itself and with the payment service."""
