"""Statements of in-toto: what a signed document says, said again in a form that other tools read.

A statement is derived from the papers and says nothing more than they do: which digests it is about, and the document
itself. Whoever has both makes it anew and compares the bytes; packtrain itself decides nothing by one.

Source: in-toto's spec/v1 (Statement, ResourceDescriptor); SLSA's verification summary, version 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import msgspec
import rfc8785

from packtrain.crypto import dsse
from packtrain.crypto.sshsig import SshSigner
from packtrain.diligence.disagreements import disagreements
from packtrain.diligence.papers import Papers, read_papers
from packtrain.documents.admission import Admission
from packtrain.documents.codec import Document, encode
from packtrain.documents.declaration import Declaration
from packtrain.documents.packing_statement import PackingStatement
from packtrain.documents.parties import SIGNING_RIGHTS, STATEMENT_NAMESPACE, STATEMENT_TYPE, Role
from packtrain.documents.provenance import Provenance
from packtrain.documents.shipment import Shipment
from packtrain.errors import DossierError, PacktrainError, StageNotReady
from packtrain.record.folder import VoyageFolder
from packtrain.record.trust import Trust

STATEMENT: Final = ".statement.json"
SIGNATURE: Final = ".sig"
ENVELOPE: Final = ".dsse.json"
VERIFICATION_SUMMARY: Final = "https://slsa.dev/verification_summary/v1"
_STATED: Final[tuple[type[Document], ...]] = (Declaration, PackingStatement, Admission, Provenance)
_BY_NAME: Final = {f"{kind.kind}{STATEMENT}": kind for kind in _STATED}
Json = dict[str, Any]


STATEMENT_NAMES: Final = tuple(_BY_NAME)
"""Every statement that there is."""


def statements_from(papers: Papers) -> dict[str, bytes]:
    """Return every statement that these papers make, unsigned, by file name; in canonical JSON (RFC 8785)."""
    made = ((name, _statement(kind, papers)) for name, kind in _BY_NAME.items())
    return {name: rfc8785.dumps(body) for name, body in made if body is not None}


def statements_of(folder: VoyageFolder, *, envelopes: bool = False) -> dict[str, bytes]:
    """Return the statements of this party's own documents, each with its signature, by file name.

    Args:
        folder: the party's voyage folder.
        envelopes: each also as an envelope of DSSE.

    Raises:
        StageNotReady: this party has signed no document of which there is a statement.
        DossierError: the documents contradict each other.
        SignatureMissing, SignatureInvalid, UntrustedSigner, DocumentError: a document here was altered.
    """
    role = folder.voyage_file().voyage.role
    papers = read_papers(folder.documents, folder.trust(), role)
    if faults := disagreements(papers):
        raise DossierError(
            "the documents do not belong together: " + "; ".join(map(str, faults)), where=str(folder.documents)
        )
    files = signed_statements(papers, role, folder.signer(), envelopes=envelopes)
    if not files:
        verbs = {"consignor": "declare", "operator": "admit", "consignee": "return export"}
        raise StageNotReady(
            f"this {role} has signed nothing that a statement is made of",
            where=str(folder.documents),
            expected="the consignor's declaration or packing statement, the operator's admission, or a provenance",
            hint=f'run "packtrain {verbs[role]}" first' if role in verbs else "ask the other parties for theirs",
        )
    return files


def signed_statements(papers: Papers, role: Role, signer: SshSigner, *, envelopes: bool = False) -> dict[str, bytes]:
    """Return the statements of the documents that a party signs, each with its signature; empty where it signs none."""
    files: dict[str, bytes] = {}
    for name, statement in statements_from(papers).items():
        if role in _signers(_BY_NAME[name]):
            files[name] = statement
            files[name + SIGNATURE] = signer.sign(STATEMENT_NAMESPACE, statement).encode("ascii")
            if envelopes:
                files[_envelope_name(name)] = dsse.seal(signer, statement)
    return files


def provenance_statement(provenance: Provenance) -> bytes:
    """Return the statement about results that a provenance makes, unsigned; its subjects are the files in the clear."""
    subject = [_digest(file.name, file.sha256) for file in provenance.files]
    own: Json = msgspec.json.decode(encode(provenance))
    return rfc8785.dumps(_of(subject, f"urn:packtrain:{Provenance.kind}:v{Provenance.version}", own))


def check_statement(name: str, payload: bytes, papers: Papers) -> str | None:
    """Return why a statement does not follow from the papers, or None where it is what they make, byte for byte.

    Its signature is another question: see `check_statements`.
    """
    kind = _BY_NAME.get(name)
    if kind is None:
        return f"{name} is no statement that a dossier has"
    body = _statement(kind, papers)
    if body is None:
        return f"{name}: the {kind.kind} that it says again is not here"
    if rfc8785.dumps(body) != payload:
        return f"{name} says something else than {kind.kind}.json and the papers beside it"
    return None


def check_statements(files: Mapping[str, bytes], papers: Papers, trust: Trust) -> tuple[str, ...]:
    """Return what is wrong with the files of a folder of statements, a sentence each; empty where all are in order.

    In order is: each follows from the papers, is signed by a party that may sign its document, and nothing else is
    there. An envelope holds the statement beside it.

    Args:
        files: the files by name; the caller bounds how many there are, and their length.
        papers: the verified documents that came with them.
        trust: the reader's own.
    """
    return tuple(_faults(files, papers, trust))


def _faults(files: Mapping[str, bytes], papers: Papers, trust: Trust) -> Iterator[str]:
    names = [name for name in sorted(files) if name in _BY_NAME]
    known = {file for name in names for file in (name, name + SIGNATURE, _envelope_name(name))}
    yield from (f"{name} is no statement that a dossier has" for name in sorted(files.keys() - known))
    for name in names:
        if (fault := check_statement(name, files[name], papers)) is not None:
            yield fault
        envelope = _envelope_name(name)
        try:
            yield from _signed_by(name, trust.statement_signer(files[name], files.get(name + SIGNATURE), name))
            if envelope in files:
                body, roles = trust.statement_in(files[envelope], envelope)
                yield from _signed_by(envelope, roles)
                if body != files[name]:
                    yield f"{envelope} holds another statement than {name}"
        except PacktrainError as error:
            yield error.message


def _signed_by(name: str, roles: frozenset[Role]) -> Iterator[str]:
    kind = _BY_NAME[name.replace(ENVELOPE, STATEMENT)]
    if not roles & _signers(kind):
        yield f"{name} is signed by the {' and '.join(sorted(roles))}, who signs no {kind.kind}"


def _signers(kind: type[Document]) -> frozenset[Role]:
    return frozenset(role for role, kinds in SIGNING_RIGHTS.items() if kind.kind in kinds)


def _envelope_name(name: str) -> str:
    return name.removesuffix(STATEMENT) + ENVELOPE


def _statement(kind: type[Document], papers: Papers) -> Json | None:
    """Return the statement that repeats one document, or None where the papers do not have it."""
    document = papers.current(kind)
    if document is None:
        return None
    own: Json = msgspec.json.decode(encode(document))
    match document:
        case Declaration():
            # Which drives it is about shows once they are closed: plan and shipment lead from it to them.
            subject = [_digest("declaration.json", papers.digest(Declaration)), *_shipped(papers)]
        case PackingStatement():
            subject = list(_shipped(papers))
        case Admission():
            return _summary(document, own)
        case Provenance():
            subject = [_digest(file.name, file.sha256) for file in document.files]
        case _:
            raise AssertionError(kind)
    return _of(subject, f"urn:packtrain:{kind.kind}:v{kind.version}", own) if subject else None


def _of(subject: list[Json], predicate_type: str, predicate: Json) -> Json:
    return {"_type": STATEMENT_TYPE, "subject": subject, "predicateType": predicate_type, "predicate": predicate}


def _digest(name: str, sha256: str | None) -> Json:
    assert sha256 is not None, "a document that is here has a digest"
    return {"name": name, "digest": {"sha256": sha256}}


def _shipped(papers: Papers) -> Iterator[Json]:
    """Yield the shipment root, and each drive's closing record as it lies on the drive; nothing before packing."""
    shipment = papers.current(Shipment)
    if shipment is None:
        return
    yield _digest("shipment.json", papers.digest(Shipment))
    for drive in shipment.drives:
        yield {**_digest(f"{drive.label}/packtrain/drive.json", drive.record), "uri": f"urn:uuid:{drive.uuid}"}


def _summary(admission: Admission, own: Json) -> Json:
    """Return the verdict as a verification summary: admit is PASSED, hold and refuse are FAILED.

    A reader of summaries alone sees no more than that; the whole verdict stands in a field of ours beside it. No level
    of SLSA is claimed: nothing here was built, and the field is one that must be there.
    """
    dossier = f"urn:packtrain:dossier:{admission.dossier}"
    is_admitted = admission.verdict == "admit"
    inputs = (
        ("plan", admission.plan),
        ("shipment", admission.shipment_root),
        ("declaration", admission.declaration),
        ("packing-statement", admission.packing_statement),
    )
    shipment = f"urn:packtrain:shipment:{admission.shipment}"
    predicate: Json = {
        # The key of a shipment's operator is in the parties.json of its parties, and in their allowed_signers.
        "verifier": {"id": f"{shipment}:operator"},
        "timeVerified": admission.decided_on,
        "resourceUri": f"{shipment}:attempt:{admission.attempt}",
        # The checks of the verdict, as docs/spec/documents.md has them for this version of the document.
        "policy": {
            "uri": f"urn:packtrain:verdict:v{admission.version}",
            **({"digest": {"sha256": admission.policy}} if admission.policy else {}),
        },
        "inputAttestations": [
            {"uri": dossier, "digest": {"sha256": admission.dossier}},
            *(
                {"uri": f"{dossier}#data/documents/{name}.json", "digest": {"sha256": sha256}}
                for name, sha256 in inputs
                if sha256 is not None
            ),
        ],
        "verificationResult": "PASSED" if is_admitted else "FAILED",
        "verifiedLevels": ["SLSA_BUILD_LEVEL_UNEVALUATED" if is_admitted else "FAILED"],
        f"urn:packtrain:admission:v{admission.version}": own,
    }
    subject = [
        _digest("shipment.json", admission.shipment_root),
        _digest("tagmanifest-sha256.txt", admission.dossier),
    ]
    return _of(subject, VERIFICATION_SUMMARY, predicate)
