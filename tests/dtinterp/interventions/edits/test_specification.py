"""Edits as data: the same from a file, from JSON and from Python; what they cannot mean is refused in a sentence."""

import json
from collections.abc import Mapping

import pytest
import torch
import yaml
from pydantic import TypeAdapter
from torch import Tensor

from dtinterp.foundation.errors import UserError
from dtinterp.interventions.amounts import HowMuch
from dtinterp.interventions.edits import AnyEdit, edit_of
from dtinterp.interventions.edits.set import Set
from dtinterp.interventions.parts.code import Feature
from dtinterp.interventions.places import At

SAID = [
    "{set: {feature: 97, dictionary: topk}, at: {site: hook_obs_embed, slot: last}, to: {from: 0, to: 5, steps: 11}}",
    "{set: {item: 'key (2,6)'}, at: hook_obs_embed, to: {as_in_frame: 12}}",
    "{add: {direction: instruction}, at: {site: blocks.0.hook_resid_pre, slot: first}, by: {unit: sd, values: [2]}}",
    "{scale: {token: whole}, at: {site: blocks.0.attn.hook_z, head: 3, slot: all}, by: 0}",
    "{scale: {token: whole}, at: {site: blocks.1.mlp.hook_post, neuron: 17, slot: {index: -2}}, by: [0, 2]}",
    "{clamp: {feature: 3}, at: {site: hook_obs_embed, slot: {time: 0}}, from: 0, to: [1, 2]}",
    "{ablate: {pattern: {head: 0, key: first, token: action}}, at: blocks.0.attn.hook_pattern, to: mean}",
    "{swap: {subspace: beliefs}, at: {site: hook_rtg_embed, token: return}, with: 'Key,Ball-Key'}",
    "{swap: {token: whole}, at: hook_obs_embed, with: [a, b, c]}",
    "{oblique: {direction: one, beside: [two, three]}, at: hook_obs_embed, to: 1.5}",
    "{rewrite: {feature: 9}, at: hook_obs_embed, to: 1.5}",
    "{project: {direction: one}, at: hook_obs_embed}",
]


@pytest.mark.parametrize("said", SAID, ids=lambda said: said[1:12])
def test_an_edit_says_what_it_was_read_from_in_yaml_and_in_json(said: str) -> None:
    edit = edit_of(yaml.safe_load(said))
    assert edit_of(yaml.safe_load(yaml.safe_dump(edit.said))) == edit
    adapter = TypeAdapter(AnyEdit)
    assert adapter.validate_json(adapter.dump_json(edit, by_alias=True)) == edit
    assert edit_of(json.loads(json.dumps(edit.said))).said == edit.said


def test_what_is_written_short_is_said_short() -> None:
    short = {"set": {"feature": 9}, "at": {"site": "hook_obs_embed"}, "to": 5.0}
    assert edit_of(short).said == short


def test_an_edit_built_in_python_is_the_one_in_the_file() -> None:
    built = Set(set=Feature(feature=97), at=At(site="hook_obs_embed"), to=HowMuch(values=(5.0,)))
    assert built == edit_of({"set": {"feature": 97}, "at": "hook_obs_embed", "to": 5})


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"sett": {"feature": 1}}, "'sett' is no edit, expected one of set, add, .*, the nearest is set"),
        ({"set": {"featur": 1}}, "set: 'featur' is no part of a row, .* the nearest is feature"),
        ({"set": {"feature": 1}, "add": {"feature": 1}}, "set and add stand together, expected one of"),
        ({"set": {"feature": 1}, "att": "x"}, "'set.att' is unknown, expected set, at, to, the nearest is at"),
        (
            {"set": {"feature": 1}, "at": {"site": "x", "slot": "lst"}, "to": 1},
            "is 'lst': input should be 'first', 'last'",
        ),
        ({"set": {"feature": 1}, "at": "x"}, "the field 'set.to' is missing"),
        ({"set": {"feature": 1}, "at": "x", "to": {"from": 1, "to": 2}}, "a sweep needs from, to and steps"),
        ({"set": {"feature": 1}, "at": "x", "to": {"values": [1], "as_in_frame": 2}}, "one of these"),
    ],
)
def test_words_that_mean_nothing_are_refused_with_the_nearest_that_do(words: Mapping[str, object], told: str) -> None:
    with pytest.raises(UserError, match=told):
        edit_of(words)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ({"set": {"feature": 99}, "to": 1}, "the feature is 99, expected 0 to 15"),
        (
            {"set": {"feature": 1, "dictionary": "turnt"}, "to": 1},
            "there is no dictionary 'turnt', .*nearest is turned",
        ),
        ({"set": {"feature": 1}, "at": "hook_obs_embed", "to": 1}, "'turned' was fitted at blocks.0.hook_resid_pre"),
        ({"set": {"direction": "two"}, "to": 1}, "there is no direction 'two', expected one of one, other, plane"),
        ({"set": {"item": "key (9,9)"}, "to": 1}, r"there is no item 'key \(9,9\)'"),
        (
            {"set": {"direction": "one"}, "at": "blocks.7.hook_resid_pre", "to": 1},
            "the site is 'blocks.7.hook_resid_pre'",
        ),
        ({"ablate": {"token": "whole"}, "at": {"site": "hook_obs_embed", "head": 0}}, "has no axis of heads"),
        (
            {"ablate": {"token": "whole"}, "at": {"site": "blocks.0.attn.hook_z", "head": 2}},
            "head is 2, expected 0 to 1",
        ),
        ({"ablate": {"token": "whole"}, "at": {"site": "blocks.0.mlp.hook_post", "neuron": 32}}, "expected 0 to 31"),
        ({"ablate": {"direction": "one"}, "at": {"site": "hook_obs_embed", "neuron": 3}}, "edit `token: whole` of it"),
        ({"ablate": {"pattern": {"head": 0, "key": "last"}}}, "shows no pairs of tokens"),
        ({"ablate": {"pattern": {"head": 9, "key": "last"}}, "at": "blocks.0.attn.hook_pattern"}, "the head is 9"),
    ],
)
def test_what_a_model_lacks_is_refused_in_a_sentence_that_says_what_it_has(bound, words, told: str) -> None:
    with pytest.raises(UserError, match=told):
        bound({"at": "blocks.0.hook_resid_pre", **words})


def test_doses_come_first_and_windows_inside(bound, names, there: Tensor) -> None:
    sweep = bound({"set": {"direction": "one"}, "at": "blocks.0.hook_resid_pre", "to": [1, 2, 3]})
    assert sweep.n_doses == 3
    rows = sweep.edit(slice(1, 3), 4).apply(there.repeat(2, 1))
    torch.testing.assert_close(rows @ names.directions["one"][0][0], torch.tensor([2.0] * 4 + [3.0] * 4))
    single = bound({"ablate": {"direction": "one"}, "at": "blocks.0.hook_resid_pre"})
    assert single.edit(slice(0, 3), 4).amounts[0].shape == (12, 1)


def test_only_amounts_that_are_alike_in_all_windows_suit_windows_not_known_yet(bound) -> None:
    at = "blocks.0.hook_resid_pre"
    assert bound({"set": {"direction": "one"}, "at": at, "to": [1, 2]}).is_the_same_in_all_windows
    assert bound({"swap": {"token": "whole"}, "at": at, "with": "Key,Ball-Key"}).is_the_same_in_all_windows
    assert not bound({"ablate": {"token": "whole"}, "at": at, "to": "resample"}).is_the_same_in_all_windows
