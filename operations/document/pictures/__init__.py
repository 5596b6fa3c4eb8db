"""Pictures of the platform, each made from what was synthesized: `operations document` writes them into `docs/`."""
