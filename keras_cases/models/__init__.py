"""Networks in Keras, one a file."""
