"""Certified classes held against each other: of several models, and of several populations and returns asked."""
