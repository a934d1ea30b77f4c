"""What lies beside an artefact while it is made: the log and the state of an interrupted training."""

from pathlib import Path


def begin_log(path: Path, *, fresh: bool) -> Path:
    """Return the JSONL log of the work on the artefact `path`; `fresh` begins it anew.

    The log of an artefact that stands already stays beside it until `keep_log`.
    """
    log = path.with_name(f"{path.name}.unfinished.jsonl")
    if fresh:
        log.unlink(missing_ok=True)
    return log


def keep_log(path: Path) -> None:
    """Put the log of the finished artefact `path` beside it, as `NAME.jsonl`."""
    begin_log(path, fresh=False).replace(path.with_name(f"{path.name}.jsonl"))


def unfinished_beside(path: Path) -> Path:
    """Return the file that keeps an interrupted training whose artefact will stand at `path`."""
    return path.with_name(f"{path.name}.unfinished.safetensors")
