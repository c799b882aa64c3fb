"""Networks and lessons in Keras."""
