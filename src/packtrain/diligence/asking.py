"""A declaration asked of a person: first the six questions, and once they are signed what follows from them.

Every answer is in declaration.toml as soon as it is given; signing is `declare`'s, from that file as from any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from packtrain import durable
from packtrain.diligence import amendments
from packtrain.diligence.declaration_file import DECLARATION_FILE, declare_from, read_declaration_file, six_gaps
from packtrain.diligence.draft import Draft
from packtrain.diligence.form_reader import Table, comments_of, in_order, party_table, tables_of
from packtrain.diligence.form_text import EXAMPLE, full_form_tables
from packtrain.diligence.interview import Ask, Interview
from packtrain.diligence.short_form import obstacles
from packtrain.errors import StageNotReady
from packtrain.events import Notice, Sink
from packtrain.record.folder import VoyageFolder


def ask_six(folder: VoyageFolder, ask: Ask, sink: Sink) -> None:
    """Put the six questions to a person, with the answers before; each is in declaration.toml as soon as it is given.

    What they lead to is not looked at here: that is said once they are signed.

    Raises:
        DeclarationFileError: the file cannot be read as it is.
    """
    path = folder.root / DECLARATION_FILE
    tables = tables_of(EXAMPLE)
    payload = read_declaration_file(folder) if path.exists() else b""

    def missing(text: bytes) -> tuple[str, ...]:
        return six_gaps(text, str(path), folder.root)

    draft = _draft(payload, missing)
    interview = Interview(draft, missing, ask, _keeper(folder, draft, payload, comments_of(tables), sink))
    interview.tables(in_order(tables), party=party_table(tables))


def is_asked_further(folder: VoyageFolder) -> bool:
    """Return whether signed answers stand here that make more than the six questions necessary."""
    signed = amendments.last_signed(folder)
    return signed is not None and bool(signed.form == "full" or obstacles(signed))


def ask_further(folder: VoyageFolder, ask: Ask, sink: Sink) -> None:
    """Put to a person what the signed six answers make necessary besides, with the answers before.

    Raises:
        DeclarationFileError: the file cannot be read as it is.
        StageNotReady: the six answers are not signed yet.
    """
    voyage, where = folder.voyage_file().voyage, str(folder.root / DECLARATION_FILE)
    payload = read_declaration_file(folder)
    signed = amendments.last_signed(folder) or declare_from(payload, voyage.name, where, folder.root).declaration
    # Where the short form applies, a full form is begun of free will, and what it asks tells nothing.
    if amendments.last_signed(folder) is None and obstacles(signed):
        raise StageNotReady("the six answers are not signed yet", where=where, hint='run "packtrain declare" first')
    six = tables_of(EXAMPLE)

    def missing(text: bytes) -> tuple[str, ...]:
        return declare_from(text, voyage.name, where, folder.root).missing

    def asked_now() -> list[Table]:
        # The facts of a party are asked where it is written out: which tables there are changes with the answers.
        return [table for _, text in full_form_tables(draft.text({}), signed, where) for table in tables_of(text)]

    draft = _draft(payload, missing)
    comments = comments_of([*six, *asked_now()])
    interview = Interview(draft, missing, ask, _keeper(folder, draft, payload, comments, sink))
    done: set[str] = set()
    while fresh := [table for table in asked_now() if table.name not in done]:
        interview.tables(fresh[:1], party=party_table(six))
        done.add(fresh[0].name)
    # An owner that was named may have an owner: once more for what came up, until nothing is added.
    before = b""
    while interview.missing() and draft.text({}) != before:
        before = draft.text({})
        for table in asked_now():
            interview.tables([table], party=party_table(six), is_open_only=True)


def _draft(payload: bytes, missing: Callable[[bytes], object]) -> Draft:
    missing(payload)  # read for its faults alone: a file that cannot be read is not written on
    return Draft(payload)


def _keeper(
    folder: VoyageFolder, draft: Draft, payload: bytes, comments: Mapping[str, str], sink: Sink
) -> Callable[[], None]:
    """Return what writes declaration.toml; a file with other words in it than ours is kept beside it, once."""
    path = folder.root / DECLARATION_FILE
    is_ours = payload in (b"", EXAMPLE.encode(), draft.text(comments), draft.text({}))
    kept: list[Path] = []

    def keep() -> None:
        if not is_ours and not kept:
            kept.append(path.with_name(path.name + ".before"))
            durable.write_bytes(kept[0], payload)
            sink(Notice("declare", f"{path.name} is written anew; as it was, with its comments: {kept[0].name}"))
        durable.write_bytes(path, draft.text(comments))

    return keep
