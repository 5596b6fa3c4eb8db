"""A module for each service that is extended, by moto's name of it."""
