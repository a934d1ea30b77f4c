"""All plays of a world up to a horizon: what a policy does at every history, and with its observations replaced."""
