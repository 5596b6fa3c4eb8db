"""Lambda function that rotates the application's database credential. `docs/rotation.md` describes the scheme."""
