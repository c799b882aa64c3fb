"""The exercises of the course, each solved, each with a check of an answer."""
