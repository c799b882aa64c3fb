"""Tiles over arrays of any size: NumPy only, no files, no frameworks."""
