"""Access tier: the roles that plan and apply, and their permissions boundary."""
