"""Pictures of the synthesized platform for `docs/`."""
