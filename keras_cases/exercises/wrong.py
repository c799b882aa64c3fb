"""What a check says of an answer that is not right."""


class WrongAnswerError(Exception):
    """One sentence: what is wrong, the values got, and a hint."""
