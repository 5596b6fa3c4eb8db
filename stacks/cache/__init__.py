"""ElastiCache in cluster mode."""
