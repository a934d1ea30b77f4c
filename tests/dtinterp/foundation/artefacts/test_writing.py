import pytest

from dtinterp.foundation.artefacts.locks import lock_file, locked
from dtinterp.foundation.artefacts.writing import draft_folder, whole_file, write_text
from dtinterp.foundation.errors import UserError


def names_in(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_file_takes_its_place_when_it_is_whole(tmp_path):
    write_text(tmp_path / "page.html", "old")
    with whole_file(tmp_path / "page.html") as draft:
        draft.write_text("new")
        assert (tmp_path / "page.html").read_text() == "old"
    assert (tmp_path / "page.html").read_text() == "new"
    assert names_in(tmp_path) == ["page.html"]


def test_a_file_that_fails_half_way_leaves_the_old_one_and_nothing_else(tmp_path):
    write_text(tmp_path / "page.html", "old")

    def write_half():
        with whole_file(tmp_path / "page.html") as draft:
            draft.write_text("ne")
            raise OSError("no space")

    with pytest.raises(OSError, match="no space"):
        write_half()
    assert (tmp_path / "page.html").read_text() == "old"
    assert names_in(tmp_path) == ["page.html"]


def test_what_killed_writers_left_goes_with_the_next_write_and_other_files_stay(tmp_path):
    (tmp_path / ".page.html.abc.draft").write_text("half")
    (tmp_path / ".page.html.def.draft").mkdir()
    (tmp_path / ".page.html.def.draft" / "part").write_text("half")
    for other in (".other.abc.draft", ".page.html", "page.html.draft"):
        (tmp_path / other).write_text("mine")
    write_text(tmp_path / "page.html", "new")
    assert names_in(tmp_path) == [".other.abc.draft", ".page.html", "page.html", "page.html.draft"]


def test_a_name_with_the_signs_of_a_pattern_is_taken_literally(tmp_path):
    (tmp_path / ".a[bc].x.draft").write_text("half")
    (tmp_path / ".ab.x.draft").write_text("of another file")
    write_text(tmp_path / "a[bc]", "new")
    assert names_in(tmp_path) == [".ab.x.draft", "a[bc]"]


def test_a_folder_that_nobody_renames_is_gone(tmp_path):
    with draft_folder(tmp_path / "deep" / "out") as folder:
        (folder / "part").write_text("half")
        assert lock_file(tmp_path / "deep" / "out").exists()
    assert names_in(tmp_path) == []


def test_a_file_is_locked_while_it_is_written(tmp_path):
    from threading import Thread

    told = []

    def write():
        try:
            write_text(tmp_path / "page.html", "mine")
        except UserError as mistake:
            told.append(str(mistake))

    with locked(tmp_path / "page.html"):
        other = Thread(target=write)
        other.start()
        other.join()
    assert "being written by another thread" in told[0]
