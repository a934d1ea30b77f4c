"""Arithmetic of many autoencoders as one computation: weights, sparse codes, losses."""
