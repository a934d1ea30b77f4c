"""Commands that make agents and demonstrations."""
