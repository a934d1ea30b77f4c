import shutil
from pathlib import Path

import pytest
import streamlit
import torch

from app.catalogue import OpenStudy
from app.widgets.contrasts import said
from app.widgets.exchange import gate_line
from app.widgets.head import plain
from dtinterp.dataset.windows import window
from dtinterp.equivalence.levels import epsilons, frame_order, level_at, nearest_beyond
from dtinterp.report.filmstrip import slot_name
from dtinterp.report.rendering import caveats
from dtinterp.report.words import bits, count
from tests.app.views.conftest import button, metrics, open_page, subheaders, warnings


def test_the_page_opens_on_the_first_observation_of_the_largest_class(opened: OpenStudy) -> None:
    app = open_page()
    report = opened.report
    first = opened.frames[int(frame_order(report.partition, report.chosen)[0])]
    assert app.title[0].value == "What the model takes for the same"
    assert subheaders(app) == [f"Frame {first}"]
    assert dict(app.query_params.items()) == {
        "model": "novice",
        "view": "Classes",
        "epsilon": "0.01",
        "frame": str(first),
    }
    assert warnings(app) == []


def test_the_finding_stands_first_with_its_certificate(opened: OpenStudy) -> None:
    app = open_page()
    assert "**novice, asked for what each demonstration returns, tells 3 classes apart**" in app.markdown[0].value
    shown = metrics(app)
    assert shown["observations"] == "12"
    assert shown["worst inside a class"] == bits(max(each.maximum for each in opened.report.totals))
    assert shown["failed when unseen"].startswith("0 of ")
    earned, intact = opened.report.behaviour.classes.earned, opened.report.behaviour.intact
    assert shown["return on classes"] == f"{earned.expected_return:.3f} of {intact.expected_return:.3f}"


@pytest.mark.usefixtures("opened")
def test_choosing_an_observation_shows_it_and_writes_it_into_the_address() -> None:
    app = open_page()
    other = app.selectbox(key="frame").options[5]
    frame = other.partition(":")[0].removeprefix("frame ")
    app.selectbox(key="frame").select(frame).run()
    assert not app.exception
    assert subheaders(app) == [f"Frame {frame}"]
    assert app.query_params["frame"] == frame


def test_the_verdict_on_the_dictionary_stands_under_its_chooser(opened: OpenStudy) -> None:
    app = open_page(view="Compare two")
    wanted = str(app.selectbox(key="dictionary/wanted").value)
    assert gate_line(opened.verdicts[wanted]) in [caption.value for caption in app.caption]


def test_the_slider_cuts_the_tree_anew_and_the_button_leads_back(opened: OpenStudy) -> None:
    app = open_page()
    finest = f"{epsilons(opened.report)[0]:g}"
    app.select_slider(key="epsilon").set_value(finest).run()
    assert not app.exception
    assert app.query_params["epsilon"] == finest
    assert any(f"12 classes at ε = {finest}**, as the swaps make them" in caption.value for caption in app.caption)
    assert any("holds it alone" in markdown.value for markdown in app.markdown)
    button(app, "Certified ε").click().run()
    assert app.query_params["epsilon"] == "0.01"
    assert any("3 classes at the certified ε" in caption.value for caption in app.caption)


def test_the_certificate_of_the_class_is_shown_with_its_bound(opened: OpenStudy) -> None:
    report = opened.report
    place = int(frame_order(report.partition, report.chosen)[0])
    certificate = report.certificates[int(report.partition.label[place])]
    app = open_page()
    flipped = f"{count(certificate.n_flips)} of {count(certificate.n_swaps)}"
    assert metrics(app)["actions flipped"] == flipped
    total = report.totals[certificate.label]
    assert total.n_swaps > certificate.n_swaps
    assert metrics(app)["swaps tried"] == count(total.n_swaps)
    assert metrics(app)["largest divergence"] == bits(total.maximum)
    assert any("contexts that it was not made from, it failed in 0" in caption.value for caption in app.caption)


def test_the_worst_window_is_opened_with_its_slots(opened: OpenStudy) -> None:
    report = opened.report
    place = int(frame_order(report.partition, report.chosen)[0])
    worst = report.totals[int(report.partition.label[place])].worst
    assert worst is not None
    captions = [caption.value for caption in open_page().caption]
    shown = window(opened.tried_on, torch.tensor([worst.step]), opened.n_slots)
    named = slot_name(shown, worst.slot), slot_name(shown, worst.decision)
    sentence = (
        f"Frame {worst.stand_in} in the place of frame {worst.frame} at {named[0]} moved the decision at {named[1]}"
    )
    assert any(caption.startswith(sentence) for caption in captions)


def test_an_observation_is_compared_with_the_nearest_one_that_cannot_stand_in_for_it(opened: OpenStudy) -> None:
    app = open_page()
    place = opened.frames.index(int(app.query_params["frame"]))
    other = nearest_beyond(opened.report, place, opened.report.config.epsilon)
    assert other is not None
    button(app, "What keeps it apart").click().run()
    assert not app.exception
    asked = {name: app.query_params[name] for name in ("view", "first", "second")}
    assert asked == {
        "view": "Compare two",
        "first": str(opened.frames[place]),
        "second": str(opened.frames[other]),
    }
    shown = metrics(app)
    assert float(shown["largest divergence"].split()[0]) == pytest.approx(
        float(opened.report.relation.maximum[place, other]), rel=0.05
    )
    assert shown["class at ε = 0.01"] == "two"


def test_the_smallest_set_is_searched_when_asked_and_applied_in_a_window(opened: OpenStudy) -> None:
    first, second = opened.frames[0], opened.frames[2]
    app = open_page(view="Compare two", first=str(first), second=str(second))
    assert "The exchange, applied" not in subheaders(app)
    button(app, "Find the smallest set").click().run()
    assert not app.exception
    assert app.query_params["dictionary"] == "topk-512-k4"
    assert any("that differ" in markdown.value for markdown in app.markdown)
    assert "The exchange, applied" in subheaders(app)
    windows = app.selectbox(key="window").options
    assert len(windows) == 16
    assert {int(window.split()[2]) for window in windows} == {first, second}
    app.selectbox(key="window").select("2").run()
    assert not app.exception
    assert app.query_params["window"] == "2"


def test_another_pair_is_not_searched_before_it_is_asked_for(opened: OpenStudy) -> None:
    frames = [str(frame) for frame in opened.frames]
    app = open_page(view="Compare two", first=frames[0], second=frames[2], dictionary="topk-512-k4", window="3")
    assert "The exchange, applied" in subheaders(app)
    app.selectbox(key="second").select(frames[3]).run()
    assert not app.exception
    assert "The exchange, applied" not in subheaders(app)
    assert "dictionary" not in app.query_params


def test_an_observation_beside_itself_is_answered_with_one_sentence(opened: OpenStudy) -> None:
    frame = str(opened.frames[0])
    app = open_page(view="Compare two", first=frame, second=frame)
    assert [info.value for info in app.info] == [
        f"Frame {frame} is chosen twice: nothing keeps it from itself. Choose another one."
    ]


@pytest.mark.usefixtures("opened")
def test_confusions_and_distractions_stand_under_headings_of_their_own(opened: OpenStudy) -> None:
    assert opened.portrait is not None
    app = open_page(view="Confusions and distractions")
    assert subheaders(app) == ["Confusions", "Distractions"]
    confusions = opened.portrait.contrasts.confusions
    shown = [markdown.value for markdown in app.markdown if "** at stake, " in markdown.value]
    assert shown == [said(each, kind="confusion", rank=rank) for rank, each in enumerate(confusions, start=1)]
    assert len(shown) > 0


def test_the_page_opens_with_what_the_classes_do_not_say(opened: OpenStudy) -> None:
    said = [markdown.value for markdown in open_page().markdown]
    assert said[1:3] == [f"⚠ {caveat}" for caveat in caveats(opened.report)]
    assert "asked for what each demonstration returns, in held-out contexts" in said[1]


def test_flipped_actions_stand_beside_the_swaps_that_they_are_of(opened: OpenStudy) -> None:
    first, second = opened.frames[:2]
    app = open_page(view="Compare two", first=str(first), second=str(second))
    n_swaps = int(opened.report.relation.n_contexts[0, 1])
    assert metrics(app)["actions flipped"].endswith(f" of {count(n_swaps)}")


@pytest.mark.usefixtures("opened")
def test_agreement_with_the_world_stands_beside_its_controls() -> None:
    app = open_page(view="Against the world")
    assert sum("ARI" in markdown.value and "untrained" in markdown.value for markdown in app.markdown) == 3


@pytest.mark.usefixtures("opened")
def test_what_was_chosen_is_kept_while_another_view_is_shown() -> None:
    app = open_page(epsilon="0.002")
    app.segmented_control(key="view").set_value("Against the world").run()
    app.segmented_control(key="view").set_value("Classes").run()
    assert not app.exception
    assert app.select_slider(key="epsilon").value == "0.002"


def test_what_is_missing_is_said_with_the_command_that_makes_it(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("equivalence", "models", "demonstrations"):
        shutil.copytree(small_study / name, tmp_path / name)
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    (said,) = [info.value for info in open_page(view="Confusions and distractions").info]
    assert "`dtinterp compare` does that" in said
    (said,) = [info.value for info in open_page(view="Compare two").info]
    assert "`dtinterp fit-dictionary` makes one" in said


def test_provenance_is_shown(opened: OpenStudy) -> None:
    captions = " ".join(caption.value for caption in open_page().caption)
    for artefact in (opened.equivalence, opened.model, opened.demonstrations):
        assert artefact.manifest.digest[:16] in captions


def test_where_there_are_no_classes_one_sentence_names_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    assert [info.value for info in open_page().info] == [
        f"No certified classes stand in {plain(str(tmp_path))}/: `dtinterp certify` makes them."
    ]


@pytest.mark.usefixtures("opened")
def test_a_foreign_manifest_and_a_damaged_dictionary_are_a_sentence_each_and_cost_nothing_else(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    for name, text in (("null", '{"kind": "x", "digest": "y", "parents": null}'), ("deep", "[" * 100_000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(text)
    tensors = tmp_path / "checkpoints" / "dictionaries" / "topk-512-k4" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"!")
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    app = open_page(view="Compare two")
    assert not app.error
    of_folders, of_study = warnings(app)
    assert of_folders.count("\n- ") == 2
    assert plain(str(tmp_path / "deep" / "manifest.json")) in of_folders
    assert plain(str(tensors)) in of_study
    assert app.selectbox(key="dictionary/wanted").options == ["pca-4"]


def test_a_model_that_was_taken_away_while_it_was_shown_is_one_sentence(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    app = open_page()
    (tmp_path / "checkpoints" / "models" / "novice").rename(tmp_path / "checkpoints" / "models" / "expert")
    app.run()
    assert not app.exception
    assert warnings(app) == ["novice no longer stands where it stood; another model is shown instead."]
    assert app.selectbox(key="model").value == "expert"
    shutil.rmtree(tmp_path / "checkpoints" / "models")
    app.run()
    assert not app.exception
    assert [info.value.partition(" in ")[0] for info in app.info] == ["No certified classes stand"]


def test_where_there_are_no_folders_one_sentence_names_the_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.views.equivalence.folders", tuple)
    monkeypatch.chdir(tmp_path)
    (said,) = [info.value for info in open_page().info]
    assert said == (
        f"Neither checkpoints/ nor results/ stands in {plain(str(tmp_path))}: start the dashboard where they are, or "
        "name folders in `DTINTERP_ARTEFACTS`."
    )


def test_a_damaged_artefact_is_one_sentence_and_no_traceback(
    small_study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(small_study, tmp_path / "checkpoints")
    tensors = tmp_path / "checkpoints" / "equivalence" / "novice" / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"!")
    monkeypatch.setenv("DTINTERP_ARTEFACTS", str(tmp_path))
    streamlit.cache_resource.clear()  # another test opened the artefact that this one is a copy of
    app = open_page()
    assert len(app.error) == 1
    assert "tensors.safetensors is damaged" in app.error[0].value


def test_every_level_of_the_slider_is_one_that_the_report_can_be_cut_at(opened: OpenStudy) -> None:
    options = open_page().select_slider(key="epsilon").options
    offered = [float(option.partition(" ")[0]) for option in options]
    assert offered == list(epsilons(opened.report))
    assert [level_at(opened.report, epsilon).partition.n_classes for epsilon in (offered[0], offered[-1])] == [12, 1]
    assert [option for option in options if option.endswith("certified")] == ["0.01 · certified"]
