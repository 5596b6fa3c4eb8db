"""Who may plan and apply, and what neither may."""
