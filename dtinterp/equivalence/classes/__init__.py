"""Classes of interchangeable observations: formed, refined by counterexamples, and verified."""
