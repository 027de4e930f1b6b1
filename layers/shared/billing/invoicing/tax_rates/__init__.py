"""The tax rates of a seller outside of the EU, which staff keep: Livello knows those of the EU only."""
