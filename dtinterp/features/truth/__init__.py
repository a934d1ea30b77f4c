"""How much of the world's ground truth the features tell."""
