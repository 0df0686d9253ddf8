"""Measure how well embedding models find visually rich documents."""

__version__ = "0.1.0"
