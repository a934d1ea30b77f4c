"""Classes of observations that a model treats alike: formed from swaps, verified, and compared with the truth."""
