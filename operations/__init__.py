"""What the team runs around a deploy."""
