"""Windows become actions: the decision transformer, its training and its life as a policy."""
