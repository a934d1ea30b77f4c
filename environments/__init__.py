"""MiniGrid's memory tasks into worlds whose every state is known; importing this package registers their ids."""

from environments.registration import register_worlds

register_worlds()
