"""A subject becomes the bench that its classes are tried on: its held-out steps, or what can happen in its world."""

from dataclasses import replace

import torch

from dtinterp.demonstrations.trajectories import Trajectories
from dtinterp.equivalence.classes.verification import CertifyInputs
from dtinterp.equivalence.exhaustive_contexts import plays
from dtinterp.equivalence.report import EquivalenceConfig
from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache
from dtinterp.model.network.frames import encoded
from dtinterp.subject.subject import Subject
from environments.graph.state_graph import StateGraph, state_graph
from environments.registration import SUPPORTED_IDS


def bench_of(subject: Subject, cache: JobCache = NO_CACHE) -> CertifyInputs:
    """Return a subject's model and held-out steps, an untrained model beside it as control."""
    held_out = subject.split.held_out
    return CertifyInputs(subject.model, subject.untrained, subject.trajectories, held_out, subject.items, cache)


def bench_for(subject: Subject, config: EquivalenceConfig, cache: JobCache = NO_CACHE) -> CertifyInputs:
    """Return the bench in whose contexts the config asks for certificates; raises `UserError` where it has none."""
    bench = bench_of(subject, cache)
    if not config.is_enumerated:
        return bench
    graph = graph_for(bench, config.contexts)
    return moved_to(bench, plays(graph, config, known=bench.trajectories.frames))


def graph_for(bench: CertifyInputs, contexts: str) -> StateGraph:
    """Return the world of the bench; raises `UserError` where it cannot be enumerated, as `contexts` demands."""
    env_id = bench.trajectories.env_id
    if env_id not in SUPPORTED_IDS:
        raise UserError(f"contexts is {contexts}, but the states of {env_id} cannot be enumerated: give held-out.")
    return state_graph(env_id)


def moved_to(bench: CertifyInputs, trajectories: Trajectories) -> CertifyInputs:
    """Return a bench on all steps of other trajectories."""
    steps, items = torch.arange(trajectories.n_steps), encoded(trajectories.frames, bench.model.cfg.n_items)
    return replace(bench, trajectories=trajectories, steps=steps, items=items)
