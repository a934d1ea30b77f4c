"""Long work: interrupted, resumed, cached in pieces, and spread over machines."""
