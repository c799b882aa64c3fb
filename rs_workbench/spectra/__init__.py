"""Hyperspectral scenes: bad bands, PCA and MNF, spectral angle, indices, samples from few labels.

One idea a file; no framework is needed, and nothing the size of the scene is held where a function
takes a `Cube`.
"""
