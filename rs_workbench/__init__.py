"""Core of the workbench: models, rasters and the verbs that join them."""
