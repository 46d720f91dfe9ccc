"""`gmps data`: what was recorded. One module per command."""
