import copy
import zipfile
from pathlib import Path

import pytest
import torch

from dtinterp.foundation.errors import UserError
from dtinterp.model.checkpoint import read_checkpoint
from dtinterp.model.published import read_published
from tests.dtinterp.model.conftest import SMALL, written_weights
from tests.limits import little_memory


@pytest.fixture
def file(tmp_path) -> Path:
    torch.save({"weight": torch.arange(1000.0), "text": "{}"}, tmp_path / "model.pt")
    return tmp_path / "model.pt"


def _rewrite(file, compression=zipfile.ZIP_STORED, **changed):
    """Write the archive again with other contents of the entries named."""
    with zipfile.ZipFile(file) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in contents.items():
            archive.writestr(name, changed.get(name.rpartition("/")[2].replace(".", "_"), data))


def test_what_torch_wrote_comes_back(file):
    read = read_checkpoint(file)
    assert isinstance(read, dict)
    assert read["text"] == "{}"
    assert torch.equal(read["weight"], torch.arange(1000.0))


def test_packed_entries_are_refused_before_they_are_unpacked(file):
    _rewrite(file, zipfile.ZIP_DEFLATED, version=bytes(2**28))
    assert file.stat().st_size < 2**19
    with (
        little_memory(2**27),
        pytest.raises(
            UserError, match=r"has 26.,... bytes and (\d) entries, \1 of them packed, together 268,...,...; torch "
        ),
    ):
        read_checkpoint(file)


def test_entries_that_share_their_bytes_are_refused(file):
    with zipfile.ZipFile(file, "a") as archive:
        for number in range(100):
            twin = copy.copy(archive.infolist()[0])
            twin.filename = f"model/data/{number + 1}"
            archive.filelist.append(twin)
        archive.writestr("model/last", b"")
    with pytest.raises(
        UserError, match=r"10\d entries, 0 of them packed, together .*; torch writes each once and packs none: fetch it"
    ):
        read_checkpoint(file)


def test_an_entry_that_is_there_twice_is_refused(file):
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("MODEL/data.pkl", b"")
    with pytest.raises(UserError, match=r"\d entries, 0 of them packed, together .*; torch writes each once"):
        read_checkpoint(file)


def test_what_would_reserve_memory_is_not_called(file):
    _rewrite(file, data_pkl=b"\x80\x02cbuiltins\nbytearray\nJ\xff\xff\xff\x7f\x85R.")
    with (
        little_memory(),
        pytest.raises(UserError, match=r"model\.pt would call builtins\.bytearray, which no checkpoint"),
    ):
        read_checkpoint(file)


def test_tuples_inside_each_other_are_not_walked_through(file):
    levels = b"".join(bytes((0x68, level, 0x68, level, 0x86, 0x71, level + 1)) for level in range(60))
    _rewrite(file, data_pkl=b"\x80\x02})q\x00" + levels + b"K\x01s.")
    with pytest.raises(UserError, match="uses one tuple in several places, which torch never writes: fetch it again"):
        read_checkpoint(file)


def test_a_pickle_of_nothing_but_names_is_refused(file):
    _rewrite(file, data_pkl=b"\x80\x02" + b"N0" * 2**23 + b"}.")
    with pytest.raises(UserError, match="has more than 16,777,216 bytes of names and texts"):
        read_checkpoint(file)


@pytest.mark.parametrize("data", [b"", b"PK", b"\x80\x02}.", bytes(10_000)], ids=["empty", "short", "pickle", "zeros"])
def test_what_is_no_archive_is_damaged(data, file):
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"model\.pt is truncated, damaged, or no checkpoint of torch"):
        read_checkpoint(file)


def test_a_weight_that_repeats_one_number_costs_no_memory(write):
    weights = written_weights(SMALL) | {"time_embedding.weight": torch.zeros(1).expand(10**9, 12)}
    file = write(SMALL, weights, world={"max_steps": 10**9 - 1, "one_hot_obs": True})
    with (
        little_memory(),
        pytest.raises(UserError, match=r"has [\d,]+ bytes and weights that say they take 48,000,[\d,]+: f"),
    ):
        read_published(file)
