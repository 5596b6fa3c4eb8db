"""Rotation tier: the application's database secret and the function that rotates it."""
