"""Baselines, one file each: kinds that are computed, and that an autoencoder has to beat."""
