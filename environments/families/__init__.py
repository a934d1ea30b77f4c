"""Families of worlds, one file each: its rule, what may be so in its states, its facts and its mission.

A new family is one file that registers itself, and its line here.
"""

import environments.families.done_beside
import environments.families.fetch
import environments.families.memory
import environments.families.pick_up
import environments.families.put_near
import environments.families.reach_goal
import environments.families.red_blue_doors
import environments.families.unlock  # noqa: F401 -- each registers itself
