"""One module per extended service, with moto's name of the service."""
