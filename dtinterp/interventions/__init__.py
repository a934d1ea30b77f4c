"""Features become counterfactual behaviour, beside controls: edits, scenarios and the experiment runner."""
