"""Samples drawn from a class map, with the design they were drawn by."""
