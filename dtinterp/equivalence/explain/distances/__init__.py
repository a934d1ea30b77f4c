"""Distances of observations that may predict which are interchangeable. A new one is a file, and its line here."""

from dtinterp.equivalence.explain.distances.active_features import same_active_features
from dtinterp.equivalence.explain.distances.codes import same_code
from dtinterp.equivalence.explain.distances.components import first_components
from dtinterp.equivalence.explain.distances.cosine import raw_cosine
from dtinterp.equivalence.explain.distances.distance import Distance
from dtinterp.equivalence.explain.distances.embedding import near_in_the_embedding
from dtinterp.equivalence.explain.distances.heads import near_as_heads_read
from dtinterp.equivalence.explain.distances.site import cosine_at_the_site, near_at_the_site

DISTANCES: tuple[Distance, ...] = (
    raw_cosine,
    near_in_the_embedding,
    first_components,
    near_as_heads_read,
    same_active_features,
    same_code,
)
"""Those that are held against swaps, in the order of the table."""
DEEPER: tuple[Distance, ...] = (cosine_at_the_site, near_at_the_site)
"""Those beside them for a dictionary of a deeper site, which reads other rows than the embedding's."""
