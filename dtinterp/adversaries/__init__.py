"""Edits of what an agent saw that flip what its model does: found, judged for how natural they are, and explained.

A `scene` is one window with the truth of its world beside it. `edits` lists what could be changed in it, `objectives`
what should be flipped, `naturalness` what an edit may cost, and `strategies` how the best set of edits is looked for;
`problem` holds them together and counts what was evaluated, and `search` is the verb.
"""
