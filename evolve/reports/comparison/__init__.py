"""`evolve compare`: the sets that several ways to select make of a run, figure by figure, beside random selections."""
