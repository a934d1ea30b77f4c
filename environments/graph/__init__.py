"""The state graph of a world, and what follows from it: partitions, beliefs, exact returns."""
