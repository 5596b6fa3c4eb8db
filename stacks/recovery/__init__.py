"""Backups beyond those of the services themselves, and their copies."""
