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
import torch
from PIL import Image
from playwright.sync_api import Page, sync_playwright
from tables.models import tried
from tables.shelf import CHECKPOINTS, COMPARISONS, LARGEST, ROOT, STUDIES

from dtinterp.demonstrations.storage import load_trajectories
from dtinterp.equivalence.over_training import HISTORY
from dtinterp.foundation.artefacts.codec import load
from dtinterp.interventions.directions.items import items_at
from dtinterp.interventions.replacements.dictionary_comparison import FEATURE_COMPARISON
from dtinterp.interventions.studies.item_geometry import EVERYWHERE, clustergram, feature_maps, norm_strips
from dtinterp.interventions.studies.published import INSTRUCTION_CELLS, THINGS
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.storage import load_model
from dtinterp.model.training.sizes import sizes_of
from dtinterp.report.figures.history import history_figure
from dtinterp.report.figures.items import clustergram_figure, item_maps_figure, norm_strip_figure
from dtinterp.report.figures.sizes import sizes_figure
from dtinterp.report.figures.token_errors import token_error_figure
from dtinterp.report.tables import error_panels, row_places
from environments.graph.state_graph import state_graph
from environments.vocabulary import one_hot

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


def item_maps() -> go.Figure:
    """Return what each cell's key and ball hold along the first two components of memory-dt's instruction items."""
    return item_maps_figure(feature_maps(_largest(), items_at(THINGS, INSTRUCTION_CELLS), things=THINGS))


def item_cosines() -> go.Figure:
    """Return the cosines between the embeddings of all keys and balls that the world shows."""
    strips = norm_strips(_largest(), _shown(), THINGS)
    names = [
        name
        for strip in strips
        for name, is_shown in zip(items_at((strip.thing,), EVERYWHERE), strip.is_shown.tolist(), strict=True)
        if is_shown
    ]
    return clustergram_figure(clustergram(_largest(), names))


def item_norms() -> go.Figure:
    """Return the norms of item embeddings by thing."""
    return norm_strip_figure(norm_strips(_largest(), _shown(), ("unseen", "empty", "wall", *THINGS, "green", "grey")))


def _largest() -> DecisionTransformer:
    return load_model(CHECKPOINTS / "models" / LARGEST).model


def _shown() -> torch.Tensor:
    return one_hot(torch.tensor(state_graph("MiniGrid-MemoryS7FixedStart-v0").frames)).amax(dim=0) > 0


FIGURES: Mapping[str, Callable[[], go.Figure]] = {
    "agents": curves.agents,
    "models": curves.models,
    "calibrations": curves.achieved,
    "model-sizes": model_sizes,
    "token-errors": token_errors,
    "class-history": class_history,
    "dictionary-sparsity": curves.dictionary_sparsity,
    "item-maps": item_maps,
    "item-cosines": item_cosines,
    "item-norms": item_norms,
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
