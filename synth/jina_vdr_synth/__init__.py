"""Makes data sets of rendered pages whose relevance is known by construction."""
