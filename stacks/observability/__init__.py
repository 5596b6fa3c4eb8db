"""Observability tier: dashboard, saved queries, events, composite alarm."""
