"""Calls to people, whatever carries them: what is asked of a carrier."""
