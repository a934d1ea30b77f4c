from dtinterp.foundation.jobs.unfinished import begin_log, keep_log


def test_a_log_goes_on_where_it_was_unless_it_is_begun_anew(tmp_path):
    begin_log(tmp_path / "model", fresh=True).write_text("row\n")
    assert begin_log(tmp_path / "model", fresh=False).read_text() == "row\n"
    assert not begin_log(tmp_path / "model", fresh=True).exists()


def test_the_old_log_stands_beside_its_artefact_until_the_new_one_is_kept(tmp_path):
    (tmp_path / "model.jsonl").write_text("old\n")
    begin_log(tmp_path / "model", fresh=True).write_text("new\n")
    assert (tmp_path / "model.jsonl").read_text() == "old\n"
    keep_log(tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["model.jsonl"]
    assert (tmp_path / "model.jsonl").read_text() == "new\n"
