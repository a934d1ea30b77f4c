import os
from pathlib import Path

import pytest
import torch

from dtinterp.foundation.artefacts.artefact import Content, read_artefact, write_artefact
from dtinterp.foundation.artefacts.placing import put_in_place, standing, standing_names


def test_of_the_names_in_a_folder_drafts_are_none_of_an_artefact_and_what_stands_aside_is() -> None:
    assert standing_names([".a.retired", "b", ".b.retired", ".c.x1y2", "d.retired", ".retired"]) == {
        "a",
        "b",
        "d.retired",
    }


def test_a_folder_is_found_by_its_name_before_while_and_after_it_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, draft = tmp_path / "a", tmp_path / ".a.draft"
    for folder, text in ((path, "old"), (draft, "new")):
        folder.mkdir()
        (folder / "said").write_text(text)
    rename, between = Path.rename, []

    def watched(folder: Path, target: Path) -> Path:
        moved = rename(folder, target)
        names = standing_names([each.name for each in tmp_path.iterdir()])
        between.append((names, (standing(path) / "said").read_text()))
        return moved

    monkeypatch.setattr(Path, "rename", watched)
    put_in_place(draft, path)
    assert between == [({"a"}, "old"), ({"a"}, "new")]


def test_an_artefact_that_is_renamed_just_before_it_is_entered_is_read_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_artefact(tmp_path / "a", Content("x", {}, {"t": torch.zeros(1)}, {}), parents=(), seed=0)
    enter, refused = os.open, []

    def late(path, flags, mode=0o777, *, dir_fd=None):
        if flags & os.O_DIRECTORY and not refused:
            refused.append(path)
            raise FileNotFoundError(2, "No such file or directory", str(path))
        return enter(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", late)
    assert read_artefact(tmp_path / "a", kind="x").manifest.kind == "x"
    assert refused
