"""The list of artefacts that every number of the page leads to."""

from collections.abc import Mapping

import pandas as pd

from dtinterp.report.results import StudyResults
from dtinterp.report.sections import Section


def _gather(results: StudyResults) -> Mapping[str, object]:
    seconds = results.seconds
    rows = [*seconds.items(), ("together", sum(seconds.values()))]
    return {
        "by_digest": {each.artefact.manifest.digest: each for each in results.opened},
        "seconds": pd.DataFrame({"stage": stage, "seconds": round(taken, 1)} for stage, taken in rows),
    }


SECTION = Section("provenance", "Provenance", order=100, shows=(object,), gather=_gather)
