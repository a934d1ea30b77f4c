"""Dictionaries, maps and parts of the network in place of what it computes, and what its answers lose by it."""
