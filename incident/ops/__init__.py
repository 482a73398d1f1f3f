"""Keeping it running: the worker, the drill, what is ready, and the end of people's data."""
