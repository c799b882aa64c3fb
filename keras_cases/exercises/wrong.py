"""What a check says of an answer that is not right."""


class WrongAnswerError(Exception):
    """One sentence: what is wrong, the values got, and a hint."""


def refuse(fault: str) -> None:
    """Raise the fault that was found, if any."""
    if fault:
        raise WrongAnswerError(fault)
