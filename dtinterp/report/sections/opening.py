"""All results become the head of the page: what was asked, and the answer in numbers."""

from dtinterp.model.calibration import extremes
from dtinterp.report.caveats import WEAK_CONTROL, caveats
from dtinterp.report.evidence import bits, cite, count, number, percentage, plural
from dtinterp.report.html import Content, Html, element, join, words
from dtinterp.report.layout import paragraph
from dtinterp.report.results import StudyResults


def opening(results: StudyResults) -> Html:
    """Return title, tiles and abstract."""
    model = results.model.artefact
    facts = [
        cite(model.name, model),
        f"{count(results.n_parameters)} parameters",
        results.env_id,
        element("code", results.command),
    ]
    return element(
        "header",
        element("p", "dtinterp · study report", class_="kicker"),
        element("h1", "Which observations does the model take for the same?"),
        element("p", join(facts, element("span", " · ", class_="dot")), class_="byline"),
        element("div", *map(paragraph, caveats(results.equivalence.value)), class_="warning"),
        element("div", join(_tiles(results)), class_="tiles"),
        element("div", element("h2", "Abstract", class_="plain"), *_abstract(results), class_="abstract"),
    )


def _tiles(results: StudyResults) -> list[Html]:
    report, artefact = results.equivalence.value, results.equivalence.artefact
    best = report.ranked[0]
    worst = max(report.totals, key=lambda each: each.maximum)
    tiles = [
        _tile(
            plural(report.partition.n_classes, "class", "classes"),
            f"of {len(report.chosen.frame_id)} observations at ε = {report.config.epsilon:g} bits",
            cite("certificates", artefact),
        ),
        _tile(
            bits(worst.maximum),
            f"the most that any swap inside a class moved an action distribution, met in {worst.stage}",
            cite("worst swap", artefact),
        ),
        _tile(
            f"{report.behaviour.classes.earned.expected_return:.3f}",
            f"return earned on the classes alone, of {report.behaviour.intact.expected_return:.3f}; on random ones "
            f"{report.behaviour.classes.random_return.estimate:.3f}",
            cite("behaviour", artefact),
        ),
        _tile(
            f"{best.trained.ari.estimate:.2f}",
            f"agreement with “{best.world}” (ARI); untrained model {best.untrained.ari.estimate:.2f}",
            cite("agreement", artefact),
        ),
    ]
    if results.calibration:
        points = next(iter(results.calibration.values()))
        low, high = extremes(points)
        share = f"{low.evaluation.success.estimate:.0%}"
        text = f"success when asked for {high.target_return:g}; {share} when asked for {low.target_return:g}"
        tiles.append(
            _tile(f"{high.evaluation.success.estimate:.1%}", text, cite("calibration", results.model.artefact))
        )
    if results.intervention is not None:
        dose = results.intervention.value.dose
        n = len(results.intervention.value.configurations)
        share = f"turned by one direction; directions of the whole sphere turn {dose.control_share.estimate:.0%}"
        tiles.append(_tile(f"{dose.n_turned} of {n}", share, cite("instruction flip", results.intervention.artefact)))
    return tiles


def _tile(figure: str, text: str, link: Html) -> Html:
    return element("div", element("strong", figure), element("span", text), element("small", link), class_="tile")


def _abstract(results: StudyResults) -> list[Html]:
    sentences = [
        _on_model(results),
        _on_classes(results),
        _on_behaviour(results),
        _on_agreement(results),
        _on_flip(results),
    ]
    return [paragraph(*parts) for parts in sentences if parts]


def _on_model(results: StudyResults) -> list[Content]:
    trajectories, source = results.demonstrations.value, results.demonstrations.artefact
    text: list[Content] = [
        "A decision transformer was trained on ",
        cite(f"{count(trajectories.n_episodes)} episodes", source),
        f" of {results.env_id} that show ",
        cite(f"{count(len(trajectories.frames))} distinct observations", source),
        ". ",
    ]
    if not results.calibration:
        return text
    sampler, points = next(iter(results.calibration.items()))
    low, high = extremes(points)
    model = results.model.artefact
    return [
        *text,
        f"Asked for a return of {high.target_return:g} ({sampler}), it reaches the matching target in ",
        cite(percentage(high.evaluation.success), model),
        f" of episodes; asked for {low.target_return:g}, in ",
        cite(percentage(low.evaluation.success), model),
        ", going to the wrong target in ",
        cite(percentage(low.evaluation.failure), model),
        " and running out of time in ",
        cite(percentage(low.evaluation.timeout), model),
        ".",
    ]


def _on_classes(results: StudyResults) -> list[Content]:
    report, artefact = results.equivalence.value, results.equivalence.artefact
    n_alone = int((report.partition.sizes == 1).sum())
    n_flips = sum(certificate.n_flips for certificate in report.certificates)
    n_inside = sum(certificate.n_swaps for certificate in report.certificates)
    return [
        "Each of the ",
        cite(f"{len(report.chosen.frame_id)} most visited observations", artefact),
        f" ({report.chosen.coverage:.1%} of {report.config.kind} steps) was put in the place of every other in real "
        f"{report.config.kind} contexts, ",
        cite(f"{count(report.n_swaps)} swaps", artefact),
        " in all. Joined so that none of these inside a class moves an action distribution by more than "
        f"{report.config.epsilon:g} bits, they form ",
        cite(plural(report.partition.n_classes, "class", "classes"), artefact),
        f", of which {n_alone} hold a single observation. Inside the classes ",
        cite(f"{count(n_flips)} of {plural(n_inside, 'swap')}", artefact),
        " changed a most likely action.",
    ]


def _on_behaviour(results: StudyResults) -> list[Content]:
    report, artefact = results.equivalence.value, results.equivalence.artefact
    behaviour = report.behaviour
    lead = (
        "The classes cost it nothing on its greedy way: "
        if report.behaviour.is_kept
        else "It is not shown that the classes cost it nothing on its greedy way: "
    )
    return [
        element("strong", lead),
        "shown one representative of each class wherever the world shows an observation of it, the model earns ",
        cite(f"{behaviour.classes.earned.expected_return:.3f}", artefact),
        f" of {behaviour.intact.expected_return:.3f} (greedy, exact); random classes of the same sizes leave ",
        cite(number(behaviour.classes.random_return), artefact),
        ", an untrained model’s classes, as many, ",
        cite(f"{behaviour.untrained_classes.earned.expected_return:.3f}", artefact),
        f". {plural(behaviour.fewest.n_classes, 'class', 'classes')} are the fewest tried that lose nothing.",
    ]


def _on_agreement(results: StudyResults) -> list[Content]:
    artefact = results.equivalence.artefact
    ranked = results.equivalence.value.ranked
    supported = [comparison for comparison in ranked if comparison.holds]
    if not supported:
        best = ranked[0]
        return [
            element("strong", "The classes do not demonstrably follow any partition of the world that was tried: "),
            f"the best agreement, with “{best.world}”, is an ARI of ",
            cite(number(best.trained.ari), artefact),
            ", and the controls reach ",
            cite(number(max((best.untrained.ari, best.untrained_at_epsilon.ari), key=lambda ari: ari.high)), artefact),
            ".",
        ]
    best = supported[0]
    others = [comparison.world for comparison in ranked if not comparison.holds]
    rest = (
        f" Not shown: agreement with {' and '.join(f'“{world}”' for world in others)} beyond the controls."
        if others
        else ""
    )
    return [
        f"They agree with the world’s partition by “{best.world}” with an ARI of ",
        cite(number(best.trained.ari), artefact),
        "; random classes of the same sizes reach ",
        cite(number(best.trained.random), artefact),
        ", an untrained model ",
        cite(number(best.untrained.ari), artefact),
        f".{rest}",
    ]


def _on_flip(results: StudyResults) -> list[Content]:
    if results.intervention is None:
        return []
    report, artefact = results.intervention.value, results.intervention.artefact
    n = len(report.configurations)
    verdict = (
        f"What would have refuted the claim was not found. {WEAK_CONTROL}"
        if not report.refutations
        else words(element("strong", "Against the claim: "), " ".join(report.refutations))
    )
    return [
        "Setting one direction of the first observation’s token to the other instruction turns ",
        cite(f"{report.dose.n_turned} of {n} configurations", artefact),
        "; random directions of the whole sphere, moved as far, turn ",
        cite(percentage(report.dose.control_share), artefact),
        ". ",
        verdict,
    ]
