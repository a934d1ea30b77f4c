"""A policy and a world become trajectories; the one place where policies are rolled out and judged."""
