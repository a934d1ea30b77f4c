"""The batched twin of MiniGrid: layouts stepped by thousands, equal to MiniGrid to the bit."""
