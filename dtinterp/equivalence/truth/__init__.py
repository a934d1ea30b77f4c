"""The model's classes beside partitions that the world itself defines."""
