"""Dashboard, saved queries, events, and the alarm that combines all others."""
