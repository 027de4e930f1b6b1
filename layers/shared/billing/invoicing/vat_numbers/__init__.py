"""The VAT numbers behind reverse charge: asked of VIES, kept as evidence, and decided by staff where VIES says no."""
