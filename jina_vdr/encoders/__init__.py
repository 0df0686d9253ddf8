"""Encoders: queries or pages in, packed vectors out. One module a model family."""
