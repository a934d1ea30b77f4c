"""Interventions on a model, beside controls: edits, rollouts and experiments."""
