"""Classes of observations become grids of pictures with their certificates."""

from dataclasses import replace

from dtinterp.dataset.windows import window
from dtinterp.equivalence.classes.certificates import Certificate, Total, WorstSwap
from dtinterp.equivalence.ordering import class_order
from dtinterp.features.truth.alignment import shared_facts
from dtinterp.report.evidence import bits, cite, count, plural, source
from dtinterp.report.filmstrip import Draw, filmstrip, slot_name
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import details, figure_block, paragraph
from dtinterp.report.results import StudyResults

N_MEMBERS = 24
"""Pictures of a class that are shown at once; the others fold out."""
N_WORST = 3
"""Worst swaps whose windows are opened."""


def class_gallery(results: StudyResults, draw: Draw) -> Html:
    """Return one card for each class of more than one observation, the largest first."""
    partition = results.equivalence.value.partition
    order = class_order(partition, results.equivalence.value.chosen).tolist()
    shared = [label for label in order if partition.sizes[label] > 1]
    if not shared:
        return paragraph(
            "No two observations are interchangeable at this ε: every class holds one. That is the result, not a "
            "failure to look."
        )
    return element("div", join(_card(results, label, draw) for label in shared), class_="classes")


def loners(results: StudyResults, draw: Draw) -> Html:
    """Return the observations that stand alone, folded away."""
    report = results.equivalence.value
    alone = report.partition.sizes[report.partition.label] == 1
    frames = report.chosen.frame_id[alone].tolist()
    if not frames:
        return words()
    pictures = element("div", join(draw(frame) for frame in frames), class_="members")
    return details(f"{plural(len(frames), 'observation')} that nothing can stand in for", pictures)


def worst_swaps(results: StudyResults, draw: Draw) -> Html:
    """Return the windows of the largest divergences that were met inside any class, whenever they were met."""
    totals = results.equivalence.value.totals
    worst = sorted((each.worst for each in totals if each.worst is not None), key=lambda swap: -swap.divergence)
    if not worst:
        return paragraph("There is none: no class holds two observations.")
    return join(_worst(results, swap, draw) for swap in worst[:N_WORST])


def _card(results: StudyResults, label: int, draw: Draw) -> Html:
    report = results.equivalence.value
    places = report.partition.members(label)
    places = places[report.chosen.n_visits[places].argsort(descending=True, stable=True)]
    frames = report.chosen.frame_id[places]
    share = int(report.chosen.n_visits[places].sum()) / report.chosen.n_steps
    demonstrated = replace(results.demonstrations.value, frames=results.tried_on.frames)
    facts = shared_facts(demonstrated, frames)
    pictures = [draw(frame) for frame in frames.tolist()]
    shown, folded = pictures[:N_MEMBERS], pictures[N_MEMBERS:]
    rest = details(f"{len(folded)} more", element("div", join(folded), class_="members")) if folded else words()
    return element(
        "article",
        element(
            "h4", f"Class {label}", element("small", f" {plural(len(frames), 'observation')} · {share:.1%} of steps")
        ),
        element("div", join(shown), class_="members"),
        rest,
        _certificate(results, report.certificates[label], report.totals[label]),
        element(
            "p",
            join(element("span", fact.plain_words, class_="fact") for fact in facts) or "no fact is common to all",
            class_="facts",
        ),
        class_="card class",
        id=f"class-{label}",
    )


def _certificate(results: StudyResults, certificate: Certificate, total: Total) -> Html:
    artefact = results.equivalence.artefact
    return element(
        "p",
        cite(f"≤ {bits(total.maximum)}", artefact),
        f" in {plural(total.n_swaps, 'swap')}, met in {total.stage}; {bits(certificate.mean)} on average in the "
        f"{count(certificate.n_swaps)} of formation, {count(certificate.n_flips)} of which changed the most likely "
        "action",
        class_="certificate",
    )


def _worst(results: StudyResults, swap: WorstSwap, draw: Draw) -> Html:
    trajectories = results.tried_on
    last = trajectories.frame_id.new_tensor([swap.step]).long()
    shown = window(trajectories, last, results.model.value.n_slots)
    strip = filmstrip(shown, draw, swap=swap)
    episode = int(trajectories.episode[swap.step])
    caption = words(
        f"Frame {swap.stand_in} in the place of frame {swap.frame} at {slot_name(shown, swap.slot)} moved the decision "
        f"at {slot_name(shown, swap.decision)} by ",
        cite(bits(swap.divergence), results.equivalence.artefact),
        f". {results.equivalence.value.config.kind.capitalize()} episode {episode}, window ending at step {swap.step}.",
    )
    return figure_block(strip, caption, source=source(results.equivalence.artefact))
