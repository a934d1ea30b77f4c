"""The decision transformer as a network: tokens, layers, and the two paths through them."""
