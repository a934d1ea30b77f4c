"""The planted model's decision points, each with the one that differs in the instruction."""

import pytest

from dtinterp.interventions.studies.exchange import Exchange
from dtinterp.interventions.studies.published import SITE
from dtinterp.interventions.windows.decision_points import DecisionPoints
from dtinterp.subject.subject import Subject


@pytest.fixture(scope="session")
def exchange(planted_subject: Subject) -> Exchange:
    return Exchange.of(planted_subject, DecisionPoints().choose(planted_subject, seed=0), SITE)
