import json

from dtinterp.foundation.logbook import Logbook, notice, progress, unshown


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_rows_are_appended_in_order_with_the_clock(tmp_path):
    path = tmp_path / "deep" / "log.jsonl"
    Logbook(path).write(step=1, loss=0.5)
    Logbook(path).write(step=2, note="a → b", probed=None)
    assert [{key: row[key] for key in row if key != "clock"} for row in rows(path)] == [
        {"step": 1, "loss": 0.5},
        {"step": 2, "note": "a → b", "probed": None},
    ]
    assert rows(path)[0]["clock"] <= rows(path)[1]["clock"]


def test_a_logbook_without_a_path_forgets(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    logbook = Logbook()
    logbook.write(step=1)
    logbook.rewind(0)
    assert list(tmp_path.iterdir()) == []


def test_rewinding_forgets_what_came_after_a_step(tmp_path):
    logbook = Logbook(tmp_path / "log.jsonl")
    logbook.write(note="no step")
    for step in (10, 20, 30):
        logbook.write(step=step)
    logbook.rewind(20)
    assert [row.get("step") for row in rows(logbook.path)] == [None, 10, 20]
    logbook.write(step=21)
    assert rows(logbook.path)[-1]["step"] == 21
    assert [file.name for file in tmp_path.iterdir()] == ["log.jsonl"]


def test_rewinding_drops_a_row_that_was_cut_short(tmp_path):
    path = tmp_path / "log.jsonl"
    Logbook(path).write(step=10)
    with path.open("a", encoding="utf-8") as file:
        file.write('{"clock": 1.0, "st')
    Logbook(path).rewind(10)
    assert [row["step"] for row in rows(path)] == [10]


def test_without_a_terminal_progress_is_a_plain_line_at_each_tenth(capsys):
    with progress("working", 1000, completed=5) as bar:
        for _ in range(990):
            bar.advance(note="loss 0.5")
        bar.reach(1000, note="done")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        *(f"working: {100 * tenth}/1000 loss 0.5" for tenth in range(1, 10)),
        "working: 1000/1000 done",
    ]
    assert "\x1b" not in captured.err


def test_slow_work_says_every_half_minute_where_it_stands(capsys, monkeypatch):
    clock = iter([0.0, 10.0, 31.0, 31.0, 50.0])
    monkeypatch.setattr("dtinterp.foundation.logbook.time.monotonic", lambda: next(clock))
    with progress("working", 1000) as bar:
        for _ in range(3):
            bar.advance()
    assert capsys.readouterr().err == "working: 2/1000\n"


def test_progress_is_silent_where_nobody_asked_for_it(capsys):
    with unshown(), progress("working", 3) as bar:
        bar.advance(3)
    with progress("working", 3, is_shown=False) as bar:
        bar.reach(3)
    assert capsys.readouterr() == ("", "")


def test_a_notice_is_one_line_on_the_error_stream_however_long(capsys):
    notice("[bold] " + "word " * 60)
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err == "note: [bold] " + "word " * 60 + "\n"
