"""A commented experiment file to begin from; it runs as it is."""

TEMPLATE = """\
# dtinterp experiment run FILE runs it, check says what would run. Every field is in docs/interventions.md; editors
# complete and check the file by the schema that `dtinterp experiment schema` writes.
question: Does setting one feature of the newest frame change the turn?

subject:
  model: {model}
  dictionaries:  # by the names that edits call them by; {{model}} stands for the name of the model's folder
    topk: {dictionary}

# Where. Others: {{kind: plays, actions: [FFFFL]}}, {{kind: held_out, n: 200, where: {{instruction: key}}}}
windows: {{kind: decision_points}}

# What is done, in order: set, add, scale, clamp, ablate, swap, oblique, rewrite or project {{feature: 97}},
# {{direction: NAME}}, {{subspace: NAME}}, {{item: "key (2,6)"}}, {{token: whole}}, {{pattern: {{head: 0, key: first}}}}
# at any hook, token, head or neuron, in the slot first, last, all, {{time: 3}} or {{index: -2}}.
edits:
  - set: {{feature: 97}}
    at: {{site: hook_obs_embed, slot: last}}
    to: {{from: 0, to: 5, steps: 6}}  # or a number, a list, {{unit: sd, values: [-2, 2]}}, {{as_in_frame: 12}}

# What it is judged by: the change at the last dose, held against every control.
measure: [{{logit_difference: [left, right]}}, flip, kl]

# All on by default; 0 or false turns one off.
controls: {{matched_features: 19, random_directions: 99, wrong_sign: true, other_slots: true, untrained: true}}

# Whole episodes with the edit in place at every step; leave it out for windows alone.
# closed_loop: {{episodes: 200, samplers: [greedy, temperature=1], target_return: 0.892}}

# A control that reaches the effect, and p above 0.05 by Holm's method, refute it unless this says otherwise.
refuted_if: {{control_reaches: true, p_above: 0.05, flipped_below: 0.5}}

seeds: [0]
"""


def template(*, model: str, dictionary: str) -> str:
    """Return the file."""
    return TEMPLATE.format(model=model, dictionary=dictionary)
