"""The nanoswarm repair simulation: bots walk on a torus and repair damaged cells that they step on."""
