"""Networks and lessons in PyTorch."""
