"""A world becomes a policy: recurrent PPO, and the protocol that every policy speaks."""
