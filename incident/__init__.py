"""Tocsin: one record that drives the whole response to a personal data breach."""

__version__ = "0.1.0"
