"""The death of the process at a durable step, in the process of the test; `fault_parts` has that of a child."""

from collections.abc import Callable

from packtrain import durable


class Killed(BaseException):
    """Stands for the death of the process; the next command settles the folder before it does anything else."""


def dies_at(step: int | str, work: Callable[[], object]) -> bool:
    """Run `work` until its n-th durable step, counted from 0, or the first of a name; return whether it came so far."""
    seen: list[str] = []

    def observer(name: str) -> None:
        seen.append(name)
        if step in (name, len(seen) - 1):
            raise Killed(name)

    durable.observe_steps(observer)
    try:
        work()
    except Killed:
        return True
    finally:
        durable.observe_steps(None)
    return False
