"""The synthesized platform, read back as one document, and what follows from it."""
