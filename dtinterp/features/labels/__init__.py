"""Labels of features: the statement about an observation that tells when a feature fires."""
