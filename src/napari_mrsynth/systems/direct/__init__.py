"""Direct synthesis: a network per set of inputs, as published before networks could do without some of them."""
