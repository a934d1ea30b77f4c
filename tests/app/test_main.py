"""The dashboard, started from a folder of somebody else's whose streamlit settings would open it to the network."""

import itertools
import os
import socket
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
STREAMLIT, OURS = ("streamlit", "run", str(ROOT / "app" / "main.py")), ("app",)
SETTINGS = ROOT / "app" / ".streamlit" / "config.toml"
HOSTILE = """
[browser]
gatherUsageStats = true
[server]
address = "0.0.0.0"
enableCORS = false
enableXsrfProtection = false
[client]
toolbarMode = "developer"
"""
ANYWHERE = "127.0.0.2"
"""Answers where a server listens at every address of this machine, and not where it listens at localhost."""

pytestmark = pytest.mark.slow


@contextmanager
def _started(folder: Path, command: Sequence[str], *options: str) -> Iterator[tuple[int, str]]:
    """Start the dashboard in a folder; give its port and what it says before it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    server = subprocess.Popen(
        [sys.executable, "-m", *command, "--server.port", str(port), "--server.headless", "true", *options],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "HOME": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with server:
        assert server.stdout is not None
        said = "".join(itertools.takewhile(lambda line: "URL:" not in line, server.stdout))
        assert server.poll() is None, said
        try:
            yield port, said
        finally:
            server.kill()
            server.communicate()


def _headers(port: int) -> dict[str, str]:
    """Return what the server answers to a page of another origin."""
    connection = HTTPConnection("127.0.0.1", port)
    connection.request("GET", "/_stcore/health", headers={"Origin": "http://example.org"})
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return {name.lower(): value for name, value in answer.getheaders()}


def _answers(address: str, port: int) -> bool:
    with socket.socket() as client:
        client.settimeout(5)
        return client.connect_ex((address, port)) == 0


@pytest.mark.parametrize("command", [STREAMLIT, OURS], ids=["streamlit run", "python -m app"])
@pytest.mark.parametrize("settings", [None, HOSTILE], ids=["without settings", "with settings that open it"])
def test_it_listens_to_this_machine_only_and_keeps_its_guards_whatever_folder_it_is_started_in(
    tmp_path: Path, command: Sequence[str], settings: str | None
) -> None:
    if settings is not None:
        (tmp_path / ".streamlit").mkdir()
        (tmp_path / ".streamlit" / "config.toml").write_text(settings)
    with _started(tmp_path, command) as (port, said):
        assert _answers("127.0.0.1", port)
        assert not _answers(ANYWHERE, port)
        headers = _headers(port)
    assert "usage statistics" not in said
    assert "access-control-allow-origin" not in headers
    assert "xsrf" in headers["set-cookie"]


def test_what_lies_beside_the_script_outweighs_every_setting_that_would_open_it() -> None:
    ours, theirs = tomllib.loads(SETTINGS.read_text()), tomllib.loads(HOSTILE)
    assert {f"{group}.{name}" for group in theirs for name in theirs[group]} == {
        f"{group}.{name}" for group in theirs for name in theirs[group] if ours[group][name] != theirs[group][name]
    }


def test_whoever_asks_for_another_address_gets_it(tmp_path: Path) -> None:
    with _started(tmp_path, OURS, "--server.address", "0.0.0.0") as (port, _):
        assert _answers("127.0.0.1", port)
        assert _answers(ANYWHERE, port) or sys.platform != "linux"
