"""Gridworlds whose every state is known; importing this package registers their ids with gymnasium."""

from environments.registration import register_worlds

register_worlds()
