"""What `rsw assess` does: a map, a reference, and everything between them."""
