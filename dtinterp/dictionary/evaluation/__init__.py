"""Evaluation of dictionaries: report cards, acceptance criteria, agreement between seeds, probes."""
