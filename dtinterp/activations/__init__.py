"""A model and windows become rows that know where they came from, and edited rows go back in."""
