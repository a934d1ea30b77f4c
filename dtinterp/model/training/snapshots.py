"""Checkpoints of a training: models that it passes through, each an artefact."""

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter

from dtinterp.foundation.artefacts.artefact import Artefact, read_artefact
from dtinterp.foundation.errors import UserError
from dtinterp.model.config import TrainConfig
from dtinterp.model.network.transformer import DecisionTransformer
from dtinterp.model.storage import MODEL, load_model, save_model
from dtinterp.model.validation import Validation

BEST = "best"


@dataclass(frozen=True)
class _Kept:
    """What is written down of the best model."""

    step: int
    loss: float


@dataclass(frozen=True)
class CheckpointFolder:
    """Keeps `step-000123` after so many steps, and `best`, each an artefact like the model itself."""

    path: Path
    config: TrainConfig
    demonstrations: Artefact

    def keep_step(self, model: DecisionTransformer, step: int) -> None:
        """Write the model as it is after so many steps."""
        self._write(f"step-{step:06d}", model, {"step": step})

    def keep_best(self, model: DecisionTransformer, step: int, measured: Validation) -> None:
        """Write the model if its held-out loss is no higher than that of the best so far.

        One that is there from a later step was written by a training that this one writes anew.
        """
        if measured.loss <= self._lowest_loss(before=step):
            self._write(BEST, model, {"step": step, "loss": measured.loss, "accuracy": measured.accuracy})

    def require_own(self) -> None:
        """Raise `UserError` where a model of another training is; those of this one will be written again."""
        for folder in self.path.glob("[!.]*"):  # what a kill left half-written has a dot
            kept = load_model(folder)
            parents = kept.artefact.manifest.parents.values()
            if kept.training != self.config or self.demonstrations.manifest.digest not in parents:
                raise UserError(f"{self.path} holds models of another training: remove it, or give another --out.")

    def _lowest_loss(self, *, before: int) -> float:
        if not (self.path / BEST).exists():
            return float("inf")
        kept = TypeAdapter(_Kept).validate_python(read_artefact(self.path / BEST, kind=MODEL.name).manifest.metrics)
        return kept.loss if kept.step < before else float("inf")

    def _write(self, name: str, model: DecisionTransformer, metrics: dict[str, int | float]) -> None:
        save_model(self.path / name, model, self.config, parent=self.demonstrations, metrics=metrics, replace=True)
