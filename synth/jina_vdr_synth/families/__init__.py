"""Families of pages: each draws two subjects in two variants that are easily taken for one another."""
