"""Networks in PyTorch, one a file."""
