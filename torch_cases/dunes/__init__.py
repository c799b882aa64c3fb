"""The dunes tiles: reading, split, chips, scores and the release of a network trained on them."""
