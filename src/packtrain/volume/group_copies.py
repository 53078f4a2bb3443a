"""Group documents of earlier waves: verified then, kept beside the journal, known by the digest that it names."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from packtrain import durable
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode
from packtrain.documents.group import Group
from packtrain.errors import DocumentError
from packtrain.volume.load_journal import GroupLine, LoadJournal


def remember_groups(folder: Path, groups: Mapping[int, Group], journal: LoadJournal) -> dict[int, Group]:
    """Return these verified documents and those of earlier waves; copies of new ones are kept in `folder`.

    A copy that is not as the journal names it is left out: its group is wanted once more.
    """
    known = dict(groups)
    for number, group in groups.items():
        payload = encode(group)
        if journal.groups.get(number) != sha256_bytes(payload):
            path = folder / f"group-{number}.json"
            # Of hosts that share a load none writes: the process that gives the groups out has written all of them.
            if not path.is_file() or path.read_bytes() != payload:
                durable.write_bytes(path, payload)
            journal.add([GroupLine(number, sha256_bytes(payload))])
    for number, expected in journal.groups.items():
        path = folder / f"group-{number}.json"
        if number not in known and path.is_file():
            payload = path.read_bytes()
            if sha256_bytes(payload) != expected:
                continue
            try:
                known[number] = decode(Group, payload, str(path))
            except DocumentError:
                continue  # an older packtrain wrote it
    return known
