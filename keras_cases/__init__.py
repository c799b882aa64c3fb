"""Networks and lessons in Keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # a laptop without a GPU is no error
