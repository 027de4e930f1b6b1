"""A stand-in for VIES, the European Commission's register of VAT numbers: its REST service, as strict as published."""
