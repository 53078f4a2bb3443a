"""A revoked key counts for what is vouched for and what a counterpart's head covers; nothing gives it back."""

from pathlib import Path

import msgspec
import pytest

from packtrain.crypto.sshsig import SshSigner, fingerprint, generate_key_pair
from packtrain.digest import sha256_bytes
from packtrain.diligence.custody_check import check_log
from packtrain.diligence.hand_over import custody_log, read_exchanged_log
from packtrain.diligence.heads import sign_own_head
from packtrain.documents.codec import encode, namespace
from packtrain.documents.declaration import Declaration
from packtrain.documents.drive import Drive
from packtrain.documents.group import Group
from packtrain.documents.kit import Kit
from packtrain.documents.parties import Role
from packtrain.documents.plan import Plan
from packtrain.documents.revocation import Revocation
from packtrain.documents.shipment import Shipment
from packtrain.errors import (
    DocumentError,
    DossierError,
    KeyRevoked,
    SignatureInvalid,
    SignatureMissing,
    StageNotReady,
    UntrustedSigner,
)
from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.custody import CustodyLog, read_log, signed_line
from packtrain.record.folder import VOYAGE_FILE, VoyageFolder
from packtrain.record.heads import read_heads
from packtrain.record.parties import sync_parties
from packtrain.record.revocations import keep_revocation
from packtrain.record.trust import SignedHead, Trust
from packtrain.stages import carry, custody
from sample_documents import samples
from voyage_papers import Papers, accept_cases, arrived, release_cases

BEFORE, LATER = "2000-01-01T00:00:00Z", "2099-01-01T00:00:00Z"


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    """Return a voyage at the site, where consignor and operator have a second person each."""
    papers = arrived(tmp_path)
    sections = {role: f'reviewer = "{generate_key_pair(tmp_path / f"{role}-second", "")}"\n' for role in ROLES}
    for folder in papers.folders.values():
        path = folder.root / VOYAGE_FILE
        text = path.read_text()
        for role, section in sections.items():
            text = text.replace(f"[parties.{role}]", f"[parties.{role}]\n{section}#", 1)
        path.write_text(text)
        sync_parties(folder)
    return papers


ROLES: tuple[Role, ...] = ("consignor", "operator")


def second(papers: Papers, role: Role) -> SshSigner:
    return SshSigner.load(papers.root / f"{role}-second")


def revoke(papers: Papers, role: Role = "consignor", **more) -> str:
    """Revoke a party's key by its second person; return the digest. The other parties learn of it."""
    key = papers.root / f"{role}-second"
    digest = custody.revoke(papers.folders[role], "stolen", discard, key=key, **more).digest
    travel(papers, papers.folders[role])
    return digest


def travel(papers: Papers, sender: VoyageFolder) -> None:
    for path in (sender.documents / "revocations").iterdir():
        for folder in papers.folders.values():
            (folder.documents / "revocations").mkdir(exist_ok=True)
            (folder.documents / "revocations" / path.name).write_bytes(path.read_bytes())


def signed_by_thief(papers: Papers, kind=Kit) -> tuple[bytes, bytes]:
    payload = encode(samples()[kind])
    thief = SshSigner.load(papers.consignor.keys / "signer")
    return payload, thief.sign(namespace(kind), payload).encode()


def test_what_is_vouched_for_is_read_as_before(papers: Papers) -> None:
    revoke(papers)
    for kind in (Plan, Shipment, Declaration):
        papers.consignor.read_signed(kind)
    assert len(custody_log(papers.operator).read(papers.operator.trust())) == 4


def test_the_records_on_the_drives_and_the_key_of_the_shipment_are_vouched_for(papers: Papers) -> None:
    revoke(papers)
    trust = papers.consignor.trust()
    for drive in papers.drives.values():
        record = drive / "packtrain" / "drive.json"
        trust.open(Drive, record.read_bytes(), record.with_name("drive.json.sig").read_bytes(), "drive")
    group = papers.consignor.documents / "groups" / "0.json"
    trust.open(Group, group.read_bytes(), group.with_name("0.json.sig").read_bytes(), "group")
    keys.open_inner(
        (papers.consignor.keys / keys.CONSIGNOR_ENVELOPE).read_bytes(),
        papers.consignor.identity(),
        trust,
        "envelope",
        shipment=papers.consignor.read_signed(Plan).shipment,
        plan=papers.consignor.digest(Plan),
        role="consignor",
    )


def test_what_a_thief_signs_afterwards_is_refused_by_name_of_the_revocation(papers: Papers) -> None:
    payload, signature = signed_by_thief(papers)
    papers.operator.trust().open(Kit, payload, signature, "kit.json")
    digest = revoke(papers)
    with pytest.raises(KeyRevoked, match=digest[:12]) as caught:
        papers.operator.trust().open(Kit, payload, signature, "kit.json")
    assert "stolen" in str(caught.value)


def test_other_parties_keys_count_as_before(papers: Papers) -> None:
    revoke(papers)
    carry.observe(papers.operator, "sighted", discard, cases=("A",))


def test_a_document_left_out_is_not_vouched_for(papers: Papers) -> None:
    revoke(papers, leave_out=(papers.consignor.digest(Declaration)[:12],))
    papers.operator.trust()
    with pytest.raises(KeyRevoked, match="declaration"):
        papers.consignor.read_signed(Declaration)
    with pytest.raises(StageNotReady, match="no document"):
        custody.revoke(papers.operator, "x", discard, key=papers.root / "operator-second", leave_out=("0" * 12,))


def test_log_lines_beyond_what_is_vouched_for_are_refused(papers: Papers) -> None:
    (papers.consignor.documents / "heads").rename(papers.root / "heads-of-the-consignor")
    revoke(papers, last_entry=2)
    with pytest.raises(KeyRevoked, match="line 3"):
        custody_log(papers.consignor).read(papers.consignor.trust())


def test_a_head_of_a_counterpart_of_before_covers_log_lines(papers: Papers) -> None:
    revoke(papers, last_entry=2)
    assert len(custody_log(papers.consignor).read(papers.consignor.trust())) == 4


def test_a_head_of_after_the_loss_or_of_the_thief_alone_covers_nothing(papers: Papers) -> None:
    revoke(papers, last_entry=2, lost_on=BEFORE)
    with pytest.raises(KeyRevoked, match="line 3"):
        custody_log(papers.operator).read(papers.operator.trust())


def test_a_head_signed_by_the_revoked_key_alone_covers_nothing(papers: Papers) -> None:
    lines = custody_log(papers.consignor).read(papers.consignor.trust())
    for path in (papers.consignor.documents / "heads").iterdir():
        path.unlink()
    sign_own_head(papers.consignor, lines, lines[-1].event.at)
    revoke(papers, last_entry=2, lost_on=LATER)
    with pytest.raises(KeyRevoked, match="line 3"):
        custody_log(papers.consignor).read(papers.consignor.trust())


def test_the_log_on_a_drive_stands_by_the_record_that_names_it(papers: Papers, tmp_path: Path) -> None:
    papers.consignor.trust()
    log = CustodyLog(tmp_path / "drive.jsonl")
    log.append(
        "formatted",
        shipment=papers.consignor.read(Shipment).shipment,
        by="consignor",
        signer=papers.consignor.signer(),
        trust=papers.consignor.trust(),
    )
    revoke(papers)
    trust, payload = papers.operator.trust(), log.path.read_bytes()
    assert len(read_log(payload, trust, "drive", is_covered=True)) == 1
    with pytest.raises(KeyRevoked):
        read_log(payload, trust, "drive")


def test_an_entry_by_a_thief_on_top_of_the_log_is_refused(papers: Papers, tmp_path: Path) -> None:
    lines = custody_log(papers.consignor).read(papers.consignor.trust())
    event = msgspec.structs.replace(
        lines[0].event, sequence=4, previous=lines[-1].digest, verb="sighted", at=lines[-1].event.at
    )
    thief = SshSigner.load(papers.consignor.keys / "signer")
    log = tmp_path / "log.jsonl"
    log.write_bytes(custody_log(papers.consignor).path.read_bytes() + signed_line(event, thief) + b"\n")
    assert len(read_exchanged_log(log, papers.operator.trust())) == 5
    revoke(papers)
    with pytest.raises(KeyRevoked, match="line 5"):
        read_exchanged_log(log, papers.operator.trust())


def test_a_thief_cannot_undo_it_by_a_milder_revocation(papers: Papers) -> None:
    payload, signature = signed_by_thief(papers)
    revoke(papers)
    thief = SshSigner.load(papers.consignor.keys / "signer")
    mild = revocation(papers, documents=(sha256_bytes(payload),))
    keep_revocation(papers.consignor.documents, mild, thief, Trust(papers.consignor.parties()))
    with pytest.raises(KeyRevoked):
        papers.consignor.trust().open(Kit, payload, signature, "kit.json")


def revocation(papers: Papers, role: Role = "consignor", **more) -> Revocation:
    party = papers.consignor.parties().of(role)
    assert party is not None
    made = Revocation(
        voyage="test voyage",
        by=role,
        fingerprint=fingerprint(party.signer),
        lost_on=BEFORE,
        because="it says so",
        documents=(),
        log_lines=(),
        revoked_on=BEFORE,
    )
    return msgspec.structs.replace(made, **more)


def test_vouching_gives_no_signature_to_what_has_none(papers: Papers) -> None:
    payload = encode(samples()[Kit])
    mild = revocation(papers, documents=(sha256_bytes(payload),))
    keep_revocation(papers.consignor.documents, mild, second(papers, "consignor"), Trust(papers.consignor.parties()))
    trust = papers.consignor.trust()
    with pytest.raises(SignatureMissing):
        trust.open(Kit, payload, None, "kit.json")
    stranger = papers.operator.signer().sign(namespace(Kit), payload).encode()
    with pytest.raises(UntrustedSigner):
        trust.open(Kit, payload, stranger, "kit.json")


@pytest.mark.parametrize("signer", ["operator", "operator-second"])
def test_another_party_cannot_revoke_a_key(papers: Papers, signer: str) -> None:
    key = second(papers, "operator") if "-" in signer else papers.operator.signer()
    with pytest.raises(UntrustedSigner, match="may not revoke"):
        keep_revocation(
            papers.operator.documents, revocation(papers, "consignor"), key, Trust(papers.operator.parties())
        )


def test_nobody_revokes_a_key_that_is_not_its_partys(papers: Papers) -> None:
    wrong = revocation(papers, "operator", fingerprint=revocation(papers, "consignor").fingerprint)
    with pytest.raises(UntrustedSigner, match="does not have"):
        keep_revocation(papers.operator.documents, wrong, second(papers, "operator"), Trust(papers.operator.parties()))


def test_a_signer_cannot_silence_the_reviewer_who_would_revoke_it(papers: Papers) -> None:
    reviewer = second(papers, "consignor")
    about = revocation(papers, fingerprint=reviewer.fingerprint)
    with pytest.raises(UntrustedSigner, match="may not revoke"):
        keep_revocation(papers.consignor.documents, about, papers.consignor.signer(), Trust(papers.consignor.parties()))
    keep_revocation(papers.consignor.documents, about, reviewer, Trust(papers.consignor.parties()))


def test_a_party_may_revoke_its_key_by_the_key_itself_and_signs_no_more(papers: Papers) -> None:
    custody.revoke(papers.operator, "lost in the snow", discard)
    with pytest.raises(KeyRevoked, match="lost in the snow"):
        papers.operator.signer()
    assert papers.operator.public_line() in sync_parties(papers.operator).parties[1].signer


@pytest.mark.parametrize("because", ["", "   "])
def test_a_revocation_says_why(papers: Papers, because: str) -> None:
    with pytest.raises(DocumentError):
        custody.revoke(papers.operator, because, discard)


def test_an_altered_or_misnamed_revocation_is_not_passed_over(papers: Papers) -> None:
    digest = revoke(papers)
    path = papers.operator.documents / "revocations" / f"{digest}.json"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"stolen", b"strayd"))
    with pytest.raises(DossierError, match="not its digest"):
        papers.operator.trust()
    path.write_bytes(whole)
    signature = path.with_name(path.name + ".sig")
    signature.write_bytes(papers.operator.signer().sign("packtrain-plan@v1", whole).encode())
    with pytest.raises(SignatureInvalid):
        papers.operator.trust()
    signature.unlink()
    with pytest.raises(SignatureMissing):
        papers.operator.trust()


def renewed(papers: Papers, role: Role = "consignor") -> None:
    """Give a party a new key, and enter it and the former one in everybody's voyage.toml."""
    folder = papers.folders[role]
    before = folder.public_line()
    for name in ("signer", "signer.pub"):
        (folder.keys / name).unlink()
    now = generate_key_pair(folder.keys / "signer", "")
    for each in papers.folders.values():
        path = each.root / VOYAGE_FILE
        text = path.read_text().replace(f'signer = "{before}"', f'signer = "{now}"\nformer = ["{before}"]')
        path.write_text(text)
        sync_parties(each)


def test_with_a_new_key_the_voyage_goes_on_and_what_was_vouched_for_stays(papers: Papers) -> None:
    payload, signature = signed_by_thief(papers)
    revoke(papers)
    renewed(papers)
    assert papers.consignor.read_signed(Plan)
    assert len(custody_log(papers.operator).read(papers.operator.trust())) == 4
    offer = release_cases(papers.operator, ("A",), "consignor", discard, destination=papers.root / "back.jsonl")
    answer = accept_cases(papers.consignor, offer, discard, destination=papers.root / "back-answer.jsonl")
    carry.adopt(papers.operator, answer, discard)
    assert custody.check(papers.operator).check.verdict == "proven to its last entry"
    with pytest.raises(KeyRevoked):
        papers.operator.trust().open(Kit, payload, signature, "kit.json")


def test_a_former_key_without_a_revocation_is_a_strangers(papers: Papers) -> None:
    renewed(papers)
    with pytest.raises(UntrustedSigner):
        papers.consignor.read_signed(Plan)


def test_a_head_that_only_a_revoked_key_signed_contradicts_nobody(papers: Papers) -> None:
    lines = custody_log(papers.operator).read(papers.operator.trust())
    other = read_exchanged_log(custody_log(papers.operator).path, papers.operator.trust())[:3]
    sign_own_head(papers.consignor, other)
    (mark,) = [each for each in read_heads(papers.consignor.documents, papers.consignor.trust()) if not each.cosigners]
    false = msgspec.structs.replace(mark.head, last_line="1" * 64)
    forged = SignedHead("2" * 64, false, mark.keys)
    assert check_log(lines, (forged,)).verdict == "contradicted"
    revoke(papers)
    assert check_log(lines, (forged,), (), papers.operator.trust().revocations).verdict == "not provable"


def test_the_story_names_the_revocation(papers: Papers) -> None:
    revoke(papers)
    assert any("key SHA256:" in text and "stolen" in text for text in custody.show(papers.operator))
