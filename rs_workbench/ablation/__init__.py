"""Ablation: one thing varied at a time, everything else held, and what that did to the score."""
