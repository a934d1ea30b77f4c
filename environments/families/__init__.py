"""MiniGrid's families of worlds: the rule, legality, facts and mission of each."""
