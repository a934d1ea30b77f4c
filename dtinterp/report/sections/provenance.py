"""Artefacts become the list that every number of the page leads to."""

import json

import pandas as pd

from dtinterp.foundation.artefacts.artefact import Artefact
from dtinterp.report.evidence import anchor, label, short_digest, shown_path
from dtinterp.report.html import Html, element, join, words
from dtinterp.report.layout import details, paragraph, section, table_block, table_html
from dtinterp.report.results import StudyResults


def provenance_section(results: StudyResults) -> Html:
    """Return one entry per artefact, parents before children, and how to make all of it again."""
    by_digest = {artefact.manifest.digest: artefact for artefact in results.artefacts}
    return section(
        "provenance",
        "Provenance",
        paragraph(
            "Every number above leads here. An artefact is a folder that was written once; its digest is the SHA-256 "
            "of its manifest, which covers the hash of each file and the digest of each parent."
        ),
        paragraph("This page was made by ", element("code", results.command), "."),
        *_seconds(results),
        element("div", join(_entry(artefact, by_digest) for artefact in results.artefacts), class_="artefacts"),
    )


def _seconds(results: StudyResults) -> list[Html]:
    if not results.seconds:
        return []
    total = sum(results.seconds.values())
    rows = [{"stage": stage, "seconds": round(seconds, 1)} for stage, seconds in results.seconds.items()]
    table = pd.DataFrame([*rows, {"stage": "together", "seconds": round(total, 1)}])
    return [table_block(table_html(table), "How long each stage took on this machine.")]


def _entry(artefact: Artefact, by_digest: dict[str, Artefact]) -> Html:
    manifest = artefact.manifest
    packages = ", ".join(f"{name} {version}" for name, version in sorted(manifest.packages.items()))
    rows = {
        "path": element("code", shown_path(artefact.path)),
        "digest": element("code", manifest.digest),
        "parents": _parents(artefact, by_digest),
        "seed": words(str(manifest.seed)),
        "made by": words(f"dtinterp {manifest.code} on {manifest.device}, with {packages}"),
    }
    described = join(words(element("dt", name), element("dd", value)) for name, value in rows.items())
    return element(
        "article",
        element("h4", label(artefact), element("small", f" {short_digest(artefact)}")),
        element("dl", described),
        details("settings and metrics", _json("config.json", artefact.config), _json("metrics", manifest.metrics)),
        id=anchor(artefact),
        class_="artefact",
    )


def _parents(artefact: Artefact, by_digest: dict[str, Artefact]) -> Html:
    if not artefact.manifest.parents:
        return words("none")
    links = []
    for name, digest in artefact.manifest.parents.items():
        parent = by_digest.get(digest)
        text = words(name, " ", element("code", digest[:10]))
        links.append(text if parent is None else element("a", text, href=f"#{anchor(parent)}"))
    return join(links, ", ")


def _json(title: str, value: object) -> Html:
    return words(element("h5", title), element("pre", json.dumps(value, indent=1, sort_keys=True)))
