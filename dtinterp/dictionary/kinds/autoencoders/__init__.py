"""Autoencoders, one file each: kinds that gradient descent finds."""
