"""What is studied: a model, the demonstrations that it was trained on, and what follows from the two."""
