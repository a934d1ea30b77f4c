"""A model's shape and calibration become the section that says whether it does as it is asked."""

from collections.abc import Mapping, Sequence

from dtinterp.model.calibration import CalibrationPoint, extremes
from dtinterp.report.evidence import cite, count, percentage, plural, source
from dtinterp.report.figures.calibration import calibration_figure
from dtinterp.report.figures.markup import figure_html
from dtinterp.report.html import Html
from dtinterp.report.layout import figure_block, paragraph, section
from dtinterp.report.results import StudyResults


def model_section(results: StudyResults) -> Html:
    """Return the section on the model: what it is, and the return it achieves for each return asked of it."""
    shape, artefact = results.model.value, results.model.artefact
    return section(
        "model",
        "The model and its calibration",
        paragraph(
            "The transformer is ",
            cite(artefact.name, artefact),
            f": {plural(shape.n_layers, 'layer')} of {plural(shape.n_heads, 'head')}, {shape.d_model} wide, "
            f"{count(results.n_parameters)} parameters. It sees {shape.n_slots} time steps as {shape.n_ctx} tokens, "
            "return-to-go, observation and action in turn; shorter histories are padded on the left and the padding "
            "is masked.",
        ),
        *_calibration(results),
    )


def _calibration(results: StudyResults) -> list[Html]:
    calibration, artefact = results.calibration, results.model.artefact
    if not calibration:
        return [paragraph("It was never calibrated: nothing is known of the returns that it achieves.")]
    sampler, points = next(iter(calibration.items()))
    low, high = extremes(points)
    is_wrong = low.evaluation.failure.estimate > low.evaluation.timeout.estimate
    return [
        paragraph(
            f"Asked for {high.target_return:g}, it succeeds in ",
            cite(percentage(high.evaluation.success), artefact),
            f" of episodes ({sampler}); asked for {low.target_return:g}, in ",
            cite(percentage(low.evaluation.success), artefact),
            f", and mostly ends {'at the wrong target' if is_wrong else 'out of time'} instead (wrong target ",
            cite(percentage(low.evaluation.failure), artefact),
            ", out of time ",
            cite(percentage(low.evaluation.timeout), artefact),
            ").",
        ),
        figure_block(
            figure_html(
                calibration_figure(calibration),
                name="calibration",
                alt="Return achieved against return asked for, and how the episodes end, by sampler",
            ),
            f"Return asked for against return achieved, and how the episodes end. {_basis(calibration)}.",
            source=source(artefact),
        ),
    ]


def _basis(calibration: Mapping[str, Sequence[CalibrationPoint]]) -> str:
    """Say what the figures rest on, by sampler where that differs."""
    counts = {sampler: points[0].evaluation.success.n for sampler, points in calibration.items()}
    told = {
        sampler: f"{plural(n, 'episode')} a point, the same starts for all" if n else "computed over all starts"
        for sampler, n in counts.items()
    }
    alike = len(set(told.values())) == 1
    basis = next(iter(told.values())) if alike else "; ".join(f"{sampler}: {each}" for sampler, each in told.items())
    intervals = "; 95% intervals, bootstrap for returns, Wilson’s for shares" if any(counts.values()) else ""
    return f"{basis[0].upper()}{basis[1:]}{intervals}"
