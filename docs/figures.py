"""The figures of docs/figures: plots of what ships and pages of the dashboard, drawn in a headless Chromium.

python docs/figures.py [NAME ...]
"""

import itertools
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import curves
import plotly.graph_objects as go
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tables.models import tried
from tables.shelf import CHECKPOINTS, COMPARISONS, LARGEST, ROOT, STUDIES

from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.equivalence.over_training import HISTORY
from dtinterp.foundation.artefacts.codec import load
from dtinterp.interventions.replacements.dictionary_comparison import FEATURE_COMPARISON
from dtinterp.model.training.sizes import sizes_of
from dtinterp.report.figures.history import history_figure
from dtinterp.report.figures.sizes import sizes_figure
from dtinterp.report.figures.token_errors import token_error_figure
from dtinterp.report.tables import error_panels, row_places

FOLDER = Path(__file__).parent / "figures"
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking")
WIDTH = 1200
"""Pixels of a figure; it knows its height."""
PATIENCE = 240_000
"""Milliseconds that a page may take."""


@dataclass(frozen=True)
class Shot:
    """A page of the dashboard, from a heading on."""

    address: str
    heading: str
    width: int
    height: int


def model_sizes() -> go.Figure:
    """Return loss and success of every trial against its parameters."""
    return sizes_figure(sizes_of(tried()), tried())


def token_errors() -> go.Figure:
    """Return the error of single tokens in all dictionaries of memory-dt's study."""
    found = load(STUDIES / LARGEST / "comparison", FEATURE_COMPARISON)
    trajectories, _ = load_trajectories(CHECKPOINTS / "demonstrations" / "memory-movable")
    return token_error_figure(error_panels(found), row_places(found, trajectories))


def class_history() -> go.Figure:
    """Return when observations merged and split in a training."""
    return history_figure(load(COMPARISONS / "training", HISTORY).moments)


FIGURES: Mapping[str, Callable[[], go.Figure]] = {
    "agents": curves.agents,
    "models": curves.models,
    "calibrations": curves.achieved,
    "model-sizes": model_sizes,
    "token-errors": token_errors,
    "class-history": class_history,
    "dictionary-sparsity": curves.dictionary_sparsity,
}
SHOTS: Mapping[str, Shot] = {
    "equivalence-page": Shot("?model=memory-dt-small-0", "What the model takes for the same", 1280, 1290),
}
NOT_SHIPPED: Mapping[str, Shot] = {
    "published-distractions": Shot(
        "?model=memory-gated-mlp&view=Confusions+and+distractions", "Distractions", 1400, 900
    ),
}
"""Drawn when asked for by name: they want the published model, see checkpoints/README.md."""


def main(names: list[str]) -> None:
    """Draw the pictures of these names; without any, of all that ships."""
    chosen = names or [*FIGURES, *SHOTS]
    with sync_playwright() as playwright:
        found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
        browser = playwright.chromium.launch(executable_path=found, args=list(FLAGS))
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        for name in chosen:
            taken = _figure(page, FIGURES[name]()) if name in FIGURES else _shot(page, {**SHOTS, **NOT_SHIPPED}[name])
            Image.open(BytesIO(taken)).convert("RGB").save(FOLDER / f"{name}.webp", quality=85)
        browser.close()


def _figure(page: Page, figure: go.Figure) -> bytes:
    page.set_viewport_size({"width": WIDTH, "height": 100})
    page.set_content(figure.to_html(config={"displayModeBar": False}))
    page.locator(".js-plotly-plot .main-svg").first.wait_for()
    return page.screenshot(full_page=True)


def _shot(page: Page, shot: Shot) -> bytes:
    page.set_viewport_size({"width": shot.width, "height": shot.height})
    with _dashboard() as address:
        page.goto(f"{address}/{shot.address}")
        heading = page.get_by_role("heading", name=shot.heading, exact=True)
        heading.wait_for()
        page.get_by_text("Where this comes from").wait_for()  # the last of the page
        page.get_by_test_id("stStatusWidget").wait_for(state="detached")
        page.wait_for_timeout(2000)  # figures fade in
        heading.evaluate("element => element.scrollIntoView({block: 'start'})")
        return page.screenshot()


@contextmanager
def _dashboard() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"]
    command = [sys.executable, "-m", "app", *options]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        list(itertools.takewhile(lambda line: "URL:" not in line, server.stdout))
        try:
            yield f"http://localhost:{port}"
        finally:
            server.kill()


if __name__ == "__main__":
    main(sys.argv[1:])
