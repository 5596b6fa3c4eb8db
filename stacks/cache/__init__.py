"""Cache tier: ElastiCache in cluster mode."""
