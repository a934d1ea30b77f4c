"""Interchange of observations in real contexts, and what the model's answer loses by it."""
