"""EFS for the tasks."""
