"""The Lambda that rotates the application's database credential. `docs/rotation.md` explains the scheme."""
