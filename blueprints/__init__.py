"""The web: one package per area."""
