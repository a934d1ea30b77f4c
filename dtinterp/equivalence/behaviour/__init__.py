"""Behaviour of a policy that sees one representative of each class."""
