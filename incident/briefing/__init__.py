"""Briefs and handovers: one page drawn from the record, for a named audience."""
