"""What is computed while somebody waits: which features keep two observations apart."""

from dataclasses import dataclass

import streamlit as st
import torch
from jaxtyping import Float32, Int64
from torch import Tensor

from app.catalogue import OpenStudy, ReplacedError
from dtinterp.equivalence.explain.decisions import Decided, decide
from dtinterp.equivalence.explain.feature_patching import PatchingSetup
from dtinterp.equivalence.explain.smallest_set import PairConfig, PairExplanation, pair_in_contexts, smallest_set
from dtinterp.equivalence.populations.population import successful
from dtinterp.foundation.seeding import generator
from dtinterp.model.network.frames import encoded
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.split import split_of
from dtinterp.model.storage import load_model

N_SETS = 500
"""Smaller sets that are tried after the greedy search; the command tries ten times as many."""
N_DRAWS = 100
"""Random directions and random sets of features."""
KEPT = 128
"""Searches whose results are kept."""


@dataclass(frozen=True)
class Question:
    """What is asked about two observations."""

    first: int
    """row of the trajectories' frame table"""
    second: int
    dictionary: str
    """name of one of the study's"""
    epsilon: float
    """bits up to which the two count as interchangeable"""


@dataclass(frozen=True)
class Answer:
    """What was found, with the windows in which it was tried."""

    pair: PatchingSetup
    explanation: PairExplanation


@dataclass(frozen=True)
class _Subject:
    model: DecisionTransformer
    held_out: Int64[Tensor, " step"]
    items: Float32[Tensor, "frame item"]


def _digest(opened: OpenStudy) -> str:
    return opened.digest


@st.cache_resource(show_spinner=False, max_entries=KEPT, hash_funcs={OpenStudy: _digest})
def answer(opened: OpenStudy, question: Question) -> Answer:
    """Search for the fewest features to exchange, as the command explain-pair does, in fewer sets and draws."""
    subject = _subject(opened)
    config = PairConfig(epsilon=question.epsilon, n_sets=N_SETS, n_draws=N_DRAWS)
    pair = pair_in_contexts(
        subject.model,
        opened.tried_on,
        _steps(opened, subject),
        items=subject.items,
        pair=torch.tensor([question.first, question.second]),
        config=config,
    )
    dictionary = opened.dictionaries[question.dictionary]
    return Answer(pair, smallest_set(pair, dictionary, config, generator(config.seed, "pair/controls")))


def decisions(opened: OpenStudy, question: Question, context: int) -> tuple[Decided, ...]:
    """Return what the model decides in one window of the pair, before and after the exchange that was found.

    Where no set of features was enough, all features that differ are exchanged.
    """
    found = answer(opened, question)
    features = found.explanation.differing if found.explanation.features is None else found.explanation.features
    dictionary = opened.dictionaries[question.dictionary]
    rng = generator(0, f"app/decisions {context}")
    return decide(found.pair, dictionary, features, context=context, generator=rng)


def _steps(opened: OpenStudy, subject: _Subject) -> Int64[Tensor, " step"]:
    """Return the steps of the histories that the classes are of."""
    config, tried = opened.report.config, opened.tried_on
    if config.kind != "held-out":
        return torch.arange(tried.n_steps)
    return successful(tried, subject.held_out) if config.contexts == "successful" else subject.held_out


@st.cache_resource(show_spinner="Reading the model", hash_funcs={OpenStudy: _digest})
def _subject(opened: OpenStudy) -> _Subject:
    trained = load_model(opened.model.path)
    if trained.artefact.manifest.digest != opened.model.manifest.digest:
        raise ReplacedError(f"{opened.model.path} was replaced since it was opened: reload the page.")
    split = split_of(opened.trajectories, trained.assumed)
    return _Subject(trained.model, split.held_out, encoded(opened.trajectories.frames, trained.model.cfg.n_items))
