"""The one error of the second reader."""


class Refused(Exception):
    """A reader must not take this; the message says why."""


def need(holds: object, why: str) -> None:
    if not holds:
        raise Refused(why)
