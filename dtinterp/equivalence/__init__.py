"""Classes of observations that a model treats alike: formed from swaps, verified, and compared with the truth.

`observations` has the verbs on a subject, and `certify` the steps of a certification in their order: `chosen_frames`,
`swaps` in real contexts, a `relation`, its `partition` into classes, `classes` refined and verified, `behaviour` on
these, the `truth` beside them; `explain` asks why. `screen` does the same for very many observations, `over_training`
for the models of a training, and `comparisons` holds several certificates against each other.
"""
