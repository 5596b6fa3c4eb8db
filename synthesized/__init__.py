"""The synthesized stacks, read back as one document, and the checks and tables that derive from them."""
