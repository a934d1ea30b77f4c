"""Commands that say what features mean."""
