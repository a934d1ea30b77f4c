"""What an edit is held against. A new family of controls is a function here, and its place in experiment/arms.py."""
