"""What each feature of a dictionary means, by its codes and the world's facts."""
