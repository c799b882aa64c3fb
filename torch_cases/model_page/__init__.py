"""The page about the bundled model, and its pictures."""
