"""Gradient descent on stacks of sparse autoencoders."""
