"""Database tier: Aurora PostgreSQL Serverless v2."""
