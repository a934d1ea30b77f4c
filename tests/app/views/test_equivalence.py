import shutil
from pathlib import Path

import pytest
import streamlit
from streamlit.testing.v1 import AppTest

from app.library import OpenStudy, open_study, shelve, studies
from dtinterp.report.figures.equivalence import frame_order

MAIN = Path(__file__).parents[3] / "app" / "main.py"
PATIENCE = 120
"""Seconds; the first run reads everything."""


@pytest.fixture
def opened(small_study: Path, monkeypatch: pytest.MonkeyPatch) -> OpenStudy:
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(small_study))
    return open_study(studies(shelve([small_study]))[0])


def _open(**query: str) -> AppTest:
    app = AppTest.from_file(str(MAIN), default_timeout=PATIENCE)
    for name, value in query.items():
        app.query_params[name] = value
    return app.run()


def _subheader(app: AppTest) -> str:
    return app.subheader[0].value


def test_the_page_opens_on_the_first_observation_of_the_largest_class(opened: OpenStudy) -> None:
    app = _open()
    assert not app.exception
    first = int(opened.report.chosen.frame_id[frame_order(opened.report)[0]])
    assert app.title[0].value == "What the model takes for the same"
    assert _subheader(app) == f"Frame {first}"
    assert app.query_params["frame"] == str(first)


@pytest.mark.usefixtures("opened")
def test_choosing_an_observation_shows_it_and_writes_it_into_the_address() -> None:
    app = _open()
    other = app.selectbox(key="frame").options[5]
    frame = other.partition(":")[0].removeprefix("frame ")
    app.selectbox(key="frame").select(frame).run()
    assert not app.exception
    assert _subheader(app) == f"Frame {frame}"
    assert app.query_params["frame"] == frame


def test_a_link_leads_back_to_the_observation(opened: OpenStudy) -> None:
    frame = int(opened.report.chosen.frame_id[7])
    assert _subheader(_open(frame=str(frame))) == f"Frame {frame}"


@pytest.mark.usefixtures("opened")
def test_an_address_that_names_no_observation_opens_on_the_first() -> None:
    assert _subheader(_open(frame="nonsense")) == _subheader(_open())


def test_the_certificate_of_the_class_is_shown(opened: OpenStudy) -> None:
    report = opened.report
    place = int(frame_order(report)[0])
    certificate = report.certificates[int(report.partition.label[place])]
    shown = {metric.label: metric.value for metric in _open().metric}
    assert shown["actions flipped"] == str(certificate.n_flips)
    assert shown["observations"] == "12"


def test_the_worst_window_is_opened_with_its_slots(opened: OpenStudy) -> None:
    place = int(frame_order(opened.report)[0])
    worst = opened.report.certificates[int(opened.report.partition.label[place])].worst
    assert worst is not None
    captions = [caption.value for caption in _open().caption]
    sentence = f"Frame {worst.stand_in} in the place of frame {worst.frame} at slot {worst.slot + 1} of 10"
    assert any(caption.startswith(sentence) for caption in captions)


def test_provenance_stands_at_the_side(opened: OpenStudy) -> None:
    captions = " ".join(caption.value for caption in _open().sidebar.caption)
    for artefact in (opened.equivalence, opened.model, opened.demonstrations):
        assert artefact.manifest.digest[:16] in captions


def test_where_there_are_no_classes_one_sentence_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    app = _open()
    assert not app.exception
    assert [info.value for info in app.info] == [
        f"No certified classes stand in {tmp_path}/: `dtinterp certify` makes them."
    ]


def test_a_damaged_artefact_is_one_sentence_and_no_traceback(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    tensors = tmp_path / "checkpoints" / "equivalence" / "novice" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"!")
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    streamlit.cache_resource.clear()  # another test opened the artefact that this one is a copy of
    app = _open()
    assert not app.exception
    assert len(app.error) == 1
    assert "tensors.safetensors is damaged" in app.error[0].value
