"""The application's database secret and the function that rotates it."""
