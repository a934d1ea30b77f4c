"""Codes and facts become what each feature means."""
