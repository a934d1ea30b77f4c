"""The report in a real browser: it draws everything, and asks nobody for anything."""

from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from dtinterp.commands.report import Sources, load_results
from dtinterp.report.page import render

pytestmark = [pytest.mark.browser, pytest.mark.slow]
PATIENCE = 120_000


@pytest.fixture(scope="module")
def address(small_study: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    sources = Sources(
        agent=small_study / "agents" / "wanderer",
        demonstrations=small_study / "demonstrations" / "walks",
        model=small_study / "models" / "novice",
        dictionaries=(small_study / "dictionaries" / "pca-4", small_study / "dictionaries" / "topk-512-k4"),
        features=(small_study / "features" / "topk-512-k4",),
        equivalence=small_study / "equivalence" / "novice",
        agreement=small_study / "agreements" / "novice",
        pairs=(small_study / "pairs" / "novice",),
        explained=small_study / "explanations" / "novice",
        intervention=small_study / "interventions" / "flip",
        command="dtinterp study",
        seconds={"equivalence": 1.0},
    )
    return render(load_results(sources), tmp_path_factory.mktemp("report") / "report.html").as_uri()


def test_every_figure_is_drawn_without_network_or_errors(page: Page, address: str) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("request", lambda request: complaints.append(request.url) if request.url.startswith("http") else None)
    page.goto(address)
    expect(page.locator(".plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    expect(page.locator(".plot:not(:has(.main-svg))")).to_have_count(0, timeout=PATIENCE)
    assert complaints == []


@pytest.mark.parametrize("width", [1280, 390], ids=["wide", "phone"])
def test_the_page_never_scrolls_sideways(page: Page, address: str, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(address)
    expect(page.locator(".plot .main-svg").first).to_be_visible(timeout=PATIENCE)
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_number_leads_to_its_manifest(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".abstract a.cited").first.click()
    target = page.evaluate("decodeURIComponent(location.hash)")
    assert target.startswith("#artefact-")
    expect(page.locator(target)).to_be_in_viewport(timeout=PATIENCE)
