"""A world into its state graph, and the graph into partitions of its states and frames."""
