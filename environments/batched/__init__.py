"""Layouts that MiniGrid makes into thousands of episodes that are stepped at once, equal to MiniGrid's to the bit."""
