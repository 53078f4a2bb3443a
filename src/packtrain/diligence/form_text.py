"""The form to fill in: the six questions, and after them only those that the route and the parties make necessary."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from typing import Any, Final, get_args

from packtrain.diligence.answer_reader import is_undisclosed
from packtrain.diligence.answers import PARTIES, DeclarationFile
from packtrain.diligence.declaration_file import decode_answers, written_out
from packtrain.diligence.full_form import crosses_border
from packtrain.documents.declaration import Declaration
from packtrain.documents.full_form import (
    AddressKind,
    OwnerKind,
    PartyKind,
    PaymentMeans,
    PersonalKind,
    ProhibitedUse,
    TravelMode,
)

EXAMPLE: Final = """\
# Six questions. They are all where every party and the site are in one country and no owner is undisclosed; else
# "packtrain declare --write-form" adds what is asked besides, once these are signed.
# Write "undisclosed" for what is not known: that is an answer, an empty text is none.
# Once signed, an answer changes only by "packtrain declare --amend", which shows the old and the new value.

end_use = ""                      # 4: what the trained model is for
hardware_class = ""               # 5: the accelerators, and under which authority the site has them
site_country = ""                 # 5: country of the machines, two letters of ISO 3166-1
returns = ""                      # what comes home, and to whom
most_bytes = ""                   # most bytes of cargo, before redundancy; for example "80TB"
most_drives = 0

[shipper]                         # 1: who ships
name = ""
address = ""
location = ""                     # country of this address
headquarters = ""                 # country of the head office
ultimate_parent = ""              # name of the last owner above; "none" where there is none
parent_country = ""               # country of that owner's head office; leave it out where there is none

[receiver]                        # 2: who receives and trains
same_as = "operator"              # instead of repeating a party

[operator]                        # 2: who operates the site
name = ""
address = ""
location = ""
headquarters = ""
ultimate_parent = ""
parent_country = ""

[trained_for]                     # 3: for whom the model is trained
same_as = "shipper"

[data]                            # 6: what the data is, and when the site erases it
description = ""
categories = []                   # kinds of data, for example ["astronomical images"]
# personal_data = false           # is any of it about persons?
erased_by = ""                    # a date, or an event such as "within 7 days of the return"
"""

_EVIDENCE: Final = (
    'evidence = []                     # files, as [{ what = "register extract", file = "evidence/a.pdf" }]'
)


def further_questions(payload: bytes, signed: Declaration, where: str) -> tuple[str, tuple[str, ...]]:
    """Return what to add to a declaration.toml, as TOML text, and the names of the tables in it.

    Args:
        payload: the file as it is; tables that it has are not asked for again.
        signed: its six answers, as signed: they decide what is asked.
        where: name of the file, for messages.

    Raises:
        DeclarationFileError: the file cannot be read.
    """
    raw = tomllib.loads(payload.decode("utf-8"))
    parts = [(table, text) for table, text in full_form_tables(payload, signed, where) if not _has(raw, table)]
    head = (
        '\n# --- The full form. "undisclosed" and "none" are answers; what has no answer is asked for again.\n'
        "# A role is the same as another, or a party of its own: name, address, location and so on, as above, and\n"
        "# [facts.ROLE]. "
        'Where nobody will say who it is: name = "undisclosed".\n'
    )
    return (head + "".join(f"\n{text}" for _, text in parts) if parts else "", tuple(table for table, _ in parts))


def full_form_tables(payload: bytes, signed: Declaration, where: str) -> tuple[tuple[str, str], ...]:
    """Return (table, its TOML text) of everything that is asked beside the six questions, whatever is answered already.

    See `further_questions` for arguments and errors.
    """
    return tuple(_tables(decode_answers(payload, where), signed, where))


def _has(raw: dict[str, Any], table: str) -> bool:
    node: Any = raw
    for name in table.split("."):
        if not isinstance(node, dict) or name not in node:
            return False
        node = node[name]  # pyright: ignore[reportUnknownVariableType]
    return True


def _tables(answers: DeclarationFile, signed: Declaration, where: str) -> Iterator[tuple[str, str]]:
    """Yield (table, its text) in the order in which they are asked."""
    border = crosses_border(signed)
    for role, who, likely in (
        ("customer", "signs the contract with the site", "receiver"),
        ("end_user", "uses the trained model in the end", "trained_for"),
        ("model_owner", "owns the trained model", "trained_for"),
        ("payer", "pays", "customer"),
    ):
        yield (
            role,
            f'[{role}]  # who {who}\n# same_as = "{likely}"\n',
        )
    # A party is asked about once, where it is written out.
    for role in dict.fromkeys(written_out(answers, role, where)[0] for role in PARTIES):
        name = getattr(answers, role).name
        if not is_undisclosed(name):
            yield f"facts.{role}", _facts(role, name)
    yield "contract", _CONTRACT
    yield "ownership", _ownership(signed)
    yield "site", _SITE
    yield "carriage", "".join((_CARRIAGE, _CUSTOMS if border else "", _CARRIERS, _LEGS if border else ""))
    yield "home", _HOME
    yield "permits", _PERMITS
    yield "source", _SOURCE + (_CONTROLLER if signed.data.personal_data else "")
    if signed.data.personal_data:
        yield "data.persons", _PERSONS


def _options(kind: object) -> str:
    return " | ".join(get_args(kind))


def _facts(role: str, name: str) -> str:
    return f"""\
[facts.{role}]  # {_comment(name)}
kind = ""                         # {_options(PartyKind)}
{_EVIDENCE}
# A person leaves out what follows.
line_of_business = ""
related_work = ""                 # earlier work of this kind that can be shown, or "none"
website = ""                      # its address, or "none"
address_kind = ""                 # {_options(AddressKind)}
# A public body or a treaty organisation leaves out what follows.
incorporated_on = ""              # day of its entry in the register, YYYY-MM-DD
formed_at_request_of = ""         # who asked that it be formed; "none" where nobody did
directors = []                    # their names, or "none"
trades_for_others = ""            # yes or no: does it pass goods on: a forwarder, a trading house?
"""


def _ownership(signed: Declaration) -> str:
    return f"""\
[ownership]  # who owns the companies among customer, end user, model owner and {_comment(signed.trained_for.name)},
# up to the last owner. A public body, a treaty organisation or a person needs no row.
# [[ownership.owners]]            # everybody above who is not a party
# name = ""
# kind = ""                       # {_options(OwnerKind)}
# address = ""
# headquarters = ""
# {_EVIDENCE}
# [[ownership.holdings]]
# owner = ""                      # its name, or "undisclosed"
# owned = ""
# percent = ""                    # or at_least and at_most
# as_of = ""                      # YYYY-MM-DD
# unknown_because = ""            # where the owner is undisclosed
# {_EVIDENCE}
"""


def _comment(name: str) -> str:
    """Return a name that stays within its comment."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())[:80]


_CONTRACT: Final = f"""\
[contract]  # between the customer and the site
signed_on = ""                    # YYYY-MM-DD
payment = ""                      # {_options(PaymentMeans)}
resellers = ""                    # "none"; or a [[contract.resellers]] like a party, with dossier = SHA-256
{_EVIDENCE}
"""
_SITE: Final = f"""\
[site]  # where the machines stand
address = ""
megawatts = ""
infrastructure_attested = ""      # yes or no: does the operator attest power, cooling and space in writing?
{_EVIDENCE}
[[site.hardware]]                 # one block a class of machine
item = ""                         # make and model
count = ""
is_advanced_computing = ""        # yes or no: an item of 3A090, 4A090 or ".z" of export law?
classification = ""               # its number in the control list (ECCN)
origin = ""                       # country whose goods they are
authority = ""                    # licence, exception or rule under which the site has them; "none"
moves = ""                        # yes or no: are they brought over a border for this voyage?
{_EVIDENCE}
"""
_CARRIAGE: Final = """\
[carriage]
forwarders = ""                   # "none"; or a [[carriage.forwarders]] like a party
"""
_CUSTOMS: Final = """\
customs_reference = ""            # carnet or declaration of the drives; "none" where there is none
"""
_CARRIERS: Final = """\
[[carriage.carriers]]             # everybody who carries a case
name = ""
acts_for = ""                     # on whose behalf; "none"
location = ""                     # country where it lives or sits
"""
_LEGS: Final = f"""\
[[carriage.legs]]                 # the way, a block a leg, up to the site's country
country = ""                      # where the leg ends
mode = ""                         # {_options(TravelMode)}
carriers = []                     # names as above
"""
_HOME: Final = """\
[home]  # what becomes of the trained model
country = ""
recipient = ""                    # a role such as "end_user"; or a table [home.recipient] like a party
training_operations = ""          # of the whole training, about how many, such as "3e24"
classification = ""               # of the weights in the control list; "none"
"""
_PERMITS: Final = f"""\
[permits]
prohibited_uses = ""              # "none"; or a list of what the model may be used for, of:
# {_options(ProhibitedUse)}
licences = ""                     # "none"; or a [[permits.licences]] with number, authority, covers, valid_until
"""
_SOURCE: Final = """\
[source]  # of the data
origin = ""                       # where it came from, under which licence or permission
"""
_CONTROLLER: Final = """\
controller = ""                   # who answers for the personal data
lawful_basis = ""
"""
_PERSONS: Final = f"""\
[[data.persons]]                  # one block a country and kind of data
# kind: {_options(PersonalKind)}
kind = ""
country = ""
number = ""                       # how many persons
transfer_tool = ""                # instrument under which their data may leave; "none"
{_EVIDENCE}
"""
