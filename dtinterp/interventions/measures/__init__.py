"""What an edit is judged by. A new measure is a class in a file here, and its lines in `AnyMeasure`."""

from typing import Annotated, Any, TypeAlias

from pydantic import BeforeValidator, Tag

from dtinterp.foundation.specifications import ToldBy
from dtinterp.interventions.measures.decision import DecisionFlip, Divergence
from dtinterp.interventions.measures.logit_difference import LogitDifference, Restored

SHORT = {"flip": {"flip": "any"}, "kl": {"kl": "bits"}, "logit_difference": {"logit_difference": ["left", "right"]}}
"""What a single word stands for."""


def _in_full(said: Any) -> Any:
    return SHORT.get(said, said) if isinstance(said, str) else said


AnyMeasure: TypeAlias = Annotated[
    Annotated[LogitDifference, Tag("logit_difference")]
    | Annotated[Restored, Tag("restored")]
    | Annotated[DecisionFlip, Tag("flip")]
    | Annotated[Divergence, Tag("kl")],
    ToldBy(("logit_difference", "restored", "flip", "kl"), of="measure"),
    BeforeValidator(_in_full),
]
"""Every measure that a file can name."""
