"""The terminal face: one module a noun, no logic of its own."""
