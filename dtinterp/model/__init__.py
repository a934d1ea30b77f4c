"""The decision transformer: its network, its training and its life as a policy."""
