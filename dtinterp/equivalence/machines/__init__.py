"""A policy as a finite-state machine, learned exactly from all plays of a world, and what it says of observations."""
