"""Short messages: what all that carry them have in common."""
