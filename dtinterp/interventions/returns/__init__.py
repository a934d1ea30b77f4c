"""What a model returns in its world: exactly or in paired rollouts, intact or with something replaced."""
