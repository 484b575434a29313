"""Direct synthesis: a network per set of inputs, none of which it can do without."""
