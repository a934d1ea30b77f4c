"""Machines that ship: their states, plays that they were not learned from, and what they say of observations."""

from functools import cache, partial

import pandas as pd

from dtinterp.equivalence.machines.machine import NO_STATE
from dtinterp.equivalence.machines.observations_told_apart import Verdict
from dtinterp.equivalence.machines.report import MACHINE, MachineReport
from dtinterp.equivalence.machines.sizes import MachineSize
from dtinterp.foundation.artefacts.codec import load
from tables.cells import share, side_by_side, written
from tables.shelf import of_models


@cache
def _machines() -> dict[str, MachineReport]:
    return of_models(partial(load, kind=MACHINE), "machine")


def machines() -> pd.DataFrame:
    """The policy of each model asked 0.892, on all plays of up to 7 moves.

    A range goes from the plays that are told apart pairwise, so that no machine has fewer states, to the machine that
    was found; one number is both. The return is exact.
    """
    return side_by_side({name: _machine(report) for name, report in _machines().items()})


def _machine(report: MachineReport) -> dict[str, str]:
    machine, own = report.machine, report.is_own
    started = set(machine.start[machine.start != NO_STATE].tolist())
    lived = started | set(machine.target[own].tolist()) | set(machine.origin[own].tolist())
    found = {
        "plays": f"{report.tests[0].decisions.n:,}",
        "agreement": share(report.tests[0].decisions, digits=2),
        "states": _range(report.at_least, report.n_states),
        "states of the policy's own play": str(len(lived)),
        "return of the machine, of the model": f"{report.returns.expected_return:.3f}, {report.model_return:.3f}",
    }
    if report.finer is not None:
        size, within = report.finer.size, f"outputs within {report.finer.epsilon:g} bits"
        name = f"{within}, to {size.horizon} moves"
        found[f"{name}: classes of distributions"] = str(size.n_outputs)
        found[f"{name}: states"] = _range(size.at_least, size.n_states)
        found[f"{name}: return when drawn from them"] = f"{report.finer.returns.expected_return:.3f}"
    return found


def states_by_horizon() -> pd.DataFrame:
    """States over the longest plays that a machine is learned from: the model, controls, and the world's own policies.

    *One optimal action* is the first in the order of actions; *the model's where it is optimal* differs from the model
    only where that is wrong. *Relabelled*: the model's outputs handed out anew among plays of equal length, in three
    draws.
    """
    return pd.DataFrame(
        {"model": name, "policy": policy, **_by_horizon(report.sizes_of(policy))}
        for name, report in _machines().items()
        for policy in dict.fromkeys(size.policy for size in report.sizes)
    ).fillna("")


def _by_horizon(sizes: tuple[MachineSize, ...]) -> dict[str, str]:
    ranges: dict[str, list[MachineSize]] = {}
    for size in sizes:
        ranges.setdefault(f"{size.horizon} moves", []).append(size)
    return {
        head: _range(min(each.at_least for each in found), max(each.n_states for each in found))
        for head, found in sorted(ranges.items())
    }


def plays_not_learned_from() -> pd.DataFrame:
    """Decisions at which the machine's action is the model's, on plays that it was not learned from.

    After an input that no play showed the machine stays in its state. Wilson intervals; decisions of one play are
    counted as if they were independent, whole plays are.
    """
    return pd.DataFrame(
        {
            "model": name,
            "plays": test.name,
            "decisions": share(test.decisions, digits=1),
            "of these after an unknown input": f"{test.n_unknown:,} of {test.decisions.n:,}",
            "without": "" if test.known is None else share(test.known, digits=1),
            "whole plays": share(test.plays, digits=1),
        }
        for name, report in _machines().items()
        for test in report.tests[1:]
    )


def observations() -> pd.DataFrame:
    """Pairs of observations: equivalent if every state sends both to the same state, undecided if none compares them.

    RPNI takes the plays in three orders; the machine is one of three.
    """
    return side_by_side({name: _observations(report) for name, report in _machines().items()})


def _observations(report: MachineReport) -> dict[str, str]:
    seen = report.observations
    return {
        "observations": str(seen.n_frames),
        "pairs": f"{seen.n_pairs:,}",
        "compared": f"{seen.n_compared:,}",
        "equivalent": f"{seen.count(Verdict.EQUIVALENT):,}",
        "told apart": f"{seen.count(Verdict.TOLD_APART):,}",
        "told apart by all three machines": f"{seen.n_always_apart:,}",
        "told apart by one or two": f"{seen.n_sometimes_apart:,}",
        "classes of never told apart, found greedily": str(seen.compatible.n_classes),
    }


def beside_certificates() -> pd.DataFrame:
    """The same pairs beside the certificate: classes within 0.05 bits in own play, asked for 0.892."""
    return side_by_side({name: _beside(report) for name, report in _machines().items()})


def _beside(report: MachineReport) -> dict[str, str]:
    beside = report.certificate
    if beside is None:
        return {}
    undecided, equivalent, apart = beside.joined
    largest = max((pair.divergence for pair in beside.disputed), default=0.0)
    return {
        "joined by the certificate": f"{sum(beside.joined):,}",
        "of these told apart by the machine": str(apart),
        "…, the very next action differing": str(sum(pair.n_inputs == 0 for pair in beside.disputed)),
        "…, by machines of all orders": str(
            sum(pair.n_machines == len(report.n_states_by_order) for pair in beside.disputed)
        ),
        "…, largest divergence in the certificate's contexts, bits": written(largest, 3),
        "of these equivalent, undecided": f"{equivalent}, {undecided}",
        "kept apart by the certificate, equivalent to the machine": str(beside.separate[Verdict.EQUIVALENT]),
        "…, no swap beyond ε: linkage alone keeps them apart": str(beside.n_close),
    }


def _range(low: int, high: int) -> str:
    return str(high) if low == high else f"{low}–{high}"
