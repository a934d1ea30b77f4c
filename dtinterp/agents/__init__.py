"""Agents: recurrent PPO, and the protocol that every policy speaks."""
