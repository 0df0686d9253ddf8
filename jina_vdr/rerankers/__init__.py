"""Rerankers: one module a kind of model that scores a query and a page together."""
