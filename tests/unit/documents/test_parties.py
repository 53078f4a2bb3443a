from collections import Counter

import msgspec

from packtrain.documents.codec import namespace
from packtrain.documents.parties import REVIEWING_RIGHTS, ROLES, SIGNING_RIGHTS, Parties, Party, allowed_signers
from sample_documents import RECIPIENT, REVIEWER, SIGNER, document_types

THREE = Parties(
    voyage="sky survey",
    parties=tuple(Party(role=role, name=role, signer=SIGNER, recipient=RECIPIENT) for role in ROLES),
)
# Local to one folder, or no document of a party: nobody signs these.
UNSIGNED = {"country-group", "dataset", "forecast", "list", "measurement", "parties", "placement", "receipt"}


def test_every_document_has_a_role_that_signs_it_or_is_unsigned_on_purpose() -> None:
    signed = {kind for kinds in SIGNING_RIGHTS.values() for kind in kinds}

    assert {kind.kind for kind in document_types()} - signed == UNSIGNED


def test_only_what_two_parties_must_agree_on_has_two_signers() -> None:
    times = Counter(kind for kinds in SIGNING_RIGHTS.values() for kind in kinds)

    assert {kind for kind, count in times.items() if count > 1} == {
        "custody",
        "closing",
        "sanitisation",
        "export-list",
        "kit-update",
        "provenance",
        "custody-head",
        "revocation",
        "inspection",
    } | {
        "screening",
        "disposition",
        "flags",
        "flag-answer",
        "paper",
        "statement",
    }


def test_a_party_is_found_by_its_role() -> None:
    party = THREE.of("operator")

    assert party is not None
    assert party.name == "operator"
    assert Parties(voyage="x", parties=THREE.parties[:1]).of("operator") is None


def test_allowed_signers_has_a_line_a_role_with_its_namespaces() -> None:
    lines = allowed_signers(THREE).splitlines()

    assert [line.split(" ")[0] for line in lines] == list(ROLES)
    assert all(line.endswith(SIGNER) for line in lines)
    for kind in document_types():
        for role, line in zip(ROLES, lines, strict=True):
            allowed = line.split('"')[1].split(",")
            assert (namespace(kind) in allowed) == (kind.kind in SIGNING_RIGHTS[role])


def test_a_reviewer_has_a_line_of_its_own_with_nothing_but_what_reviewers_sign() -> None:
    with_reviewer = msgspec.structs.replace(THREE.parties[1], reviewer=REVIEWER)

    lines = allowed_signers(Parties(voyage="x", parties=(with_reviewer,))).splitlines()

    spaces = ",".join(f"packtrain-{kind}@v1" for kind in REVIEWING_RIGHTS)
    assert lines[1] == f'operator-reviewer namespaces="{spaces}" {REVIEWER}'


def test_a_name_does_not_reach_allowed_signers() -> None:
    hostile = Party(role="operator", name='x\nconsignor namespaces="*" ', signer=SIGNER, recipient=RECIPIENT)

    assert "*" not in allowed_signers(Parties(voyage="x", parties=(hostile,)))
