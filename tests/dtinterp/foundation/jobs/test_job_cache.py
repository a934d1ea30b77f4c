import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.foundation.jobs.job_cache import NO_CACHE, JobCache, numbered, open_job_cache

JOBS = {"a": 1, "b": 2, "c": 3}


class Work:
    """Doubles, counts what it did, and fails from some job on."""

    def __init__(self, fails_from: int = 99) -> None:
        self.done, self.fails_from = [], fails_from

    def __call__(self, job: int) -> dict[str, torch.Tensor]:
        if job >= self.fails_from:
            raise RuntimeError("out of luck")
        self.done.append(job)
        return {"double": torch.tensor([2.0 * job]), "none": torch.zeros(0, 3)}


def _doubles(pieces):
    return [float(piece["double"]) for piece in pieces]


def test_a_piece_is_done_once(tmp_path):
    first, again = Work(), Work()
    assert _doubles(open_job_cache(tmp_path / "work", {"seed": 0}).done("doubling", JOBS, first)) == [2, 4, 6]
    pieces = open_job_cache(tmp_path / "work", {"seed": 0}).done("doubling", JOBS, again)
    assert _doubles(pieces) == [2, 4, 6]
    assert pieces[0]["none"].shape == (0, 3)
    assert (first.done, again.done) == ([1, 2, 3], [])


def test_what_was_done_before_a_failure_is_kept(tmp_path):
    cache = open_job_cache(tmp_path / "work", {"seed": 0})
    with pytest.raises(UserError, match="doubling: piece b failed: RuntimeError: out of luck; call again"):
        cache.done("doubling", JOBS, Work(fails_from=2))
    rest = Work()
    assert _doubles(cache.done("doubling", JOBS, rest)) == [2, 4, 6]
    assert rest.done == [2, 3]


def test_a_half_written_piece_is_done_again(tmp_path):
    cache = open_job_cache(tmp_path / "work", {"seed": 0})
    (tmp_path / "work" / "a.draft").write_bytes(b"half")
    work = Work()
    cache.done("doubling", JOBS, work)
    assert work.done == [1, 2, 3]


def test_chapters_do_not_share_pieces(tmp_path):
    cache, work = open_job_cache(tmp_path / "work", {"seed": 0}), Work()
    cache.about("one").done("doubling", JOBS, work)
    cache.about("other").done("doubling", JOBS, work)
    assert work.done == [1, 2, 3, 1, 2, 3]


def test_without_a_folder_nothing_is_kept():
    work = Work()
    for _ in range(2):
        NO_CACHE.done("doubling", {"a": 1}, work)
    assert work.done == [1, 1]
    NO_CACHE.close()


def test_other_work_is_refused(tmp_path):
    open_job_cache(tmp_path / "work", {"seed": 0})
    with pytest.raises(UserError, match="unfinished work of other settings"):
        open_job_cache(tmp_path / "work", {"seed": 1})


def test_a_closed_ledger_is_gone(tmp_path):
    cache = open_job_cache(tmp_path / "work", {"seed": 0})
    cache.done("doubling", JOBS, Work())
    cache.close()
    assert not (tmp_path / "work").exists()


def test_where_no_piece_was_done_nothing_stays(tmp_path):
    cache = open_job_cache(tmp_path / "work", {"seed": 0})
    with pytest.raises(UserError, match="refused"), cache.joined():
        raise UserError("refused")
    assert not (tmp_path / "work").exists()


def test_where_a_piece_was_done_it_stays(tmp_path):
    cache = open_job_cache(tmp_path / "work", {"seed": 0})
    with pytest.raises(UserError, match="piece b failed"), cache.joined():
        cache.about("one").done("doubling", JOBS, Work(fails_from=2))
    assert (tmp_path / "work" / "one-a.safetensors").exists()


def test_it_says_where_pieces_are_done(tmp_path):
    assert open_job_cache(tmp_path, {}, ray_address="local").about("one") == JobCache(tmp_path, "local", "one-", "{}")


def test_slices_cover_everything_once():
    slices = numbered(10, 4)
    assert [list(range(10))[part] for part in slices.values()] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert list(slices) == ["000000", "000004", "000008"]
    assert numbered(0, 4) == {}
