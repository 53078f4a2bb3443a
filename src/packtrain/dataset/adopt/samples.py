"""Members of a tar grouped into samples, by the rule that the webdataset library reads by.

The key of a member is its name up to the first dot of its last part, with the folders before it; what comes after the
dot is its suffix, in lower case. Neighbours with one key are one sample; a key that comes again later is another one.
Names without a dot, names like `__meta__` and what is no file belong to no sample.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

MAX_MEMBERS: Final = 256  # of one sample; a sample's members are held in memory while it is put together
MAX_SUFFIX_CHARACTERS: Final = 4096  # of all members of a sample together: they stand in its row of the index

_NAME: Final = re.compile(r"((?:.*/)?[^./][^./]*)\.([^/]*)", re.DOTALL)
_META: Final = re.compile(r"__[^/]*__(/|\Z)")

T = TypeVar("T")


@dataclass(slots=True)
class Group(Generic[T]):
    """One sample: its key, and by suffix what was made of its members, in the order of the tar.

    Attributes:
        fault: why it is no sample, or "".
        num_bytes: of all its members.
    """

    key: str
    members: dict[str, T] = field(default_factory=dict)  # pyright: ignore[reportUnknownVariableType]
    fault: str = ""
    num_bytes: int = 0
    num_characters: int = 0

    def add(self, suffix: str, member: T, num_bytes: int) -> None:
        """Take the next member; what is too much is not held, and is a fault of the sample."""
        self.num_bytes += num_bytes
        self.num_characters += len(suffix)
        if suffix in self.members:
            self.fault = self.fault or f"two members .{suffix[:80]} in one sample"
        elif len(self.members) == MAX_MEMBERS or self.num_characters > MAX_SUFFIX_CHARACTERS:
            self.fault = f"more than {MAX_MEMBERS} members in one sample, or too long names"
        else:
            self.members[suffix] = member


def key_and_suffix(name: str) -> tuple[str, str] | None:
    """Return key and suffix of a member's name, or None where it belongs to no sample."""
    found = _NAME.fullmatch(name)
    if found is None or _META.match(name):
        return None
    return found[1], found[2].lower()


def grouped(members: Iterable[tuple[str, str, T, int]]) -> Iterator[Group[T]]:
    """Yield samples of (key, suffix, member, bytes) in order."""
    held: Group[T] | None = None
    for key, suffix, member, num_bytes in members:
        if held is None or held.key != key:
            if held is not None:
                yield held
            held = Group(key)
        held.add(suffix, member, num_bytes)
    if held is not None:
        yield held
