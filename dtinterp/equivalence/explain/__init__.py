"""Why observations are interchangeable, or are not: features, similarities, feature patching."""
