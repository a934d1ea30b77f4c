"""Populations of histories that a policy's classes are certified on: its own play, all plays, demonstrations."""
