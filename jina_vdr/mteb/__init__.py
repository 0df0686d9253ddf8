"""Traffic with MTEB: its tasks become task files, and results go both ways."""
