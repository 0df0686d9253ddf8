"""Models behind HTTP: what all providers share, and one module a provider."""
