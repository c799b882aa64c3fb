"""Framework adapters, one file each, imported on demand."""
