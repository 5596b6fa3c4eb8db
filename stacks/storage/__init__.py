"""Storage tier: EFS file system for the tasks."""
