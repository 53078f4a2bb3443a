"""Time stamps by an authority that the test makes with openssl: asked for, checked, held against the log, offline."""

import shutil
import subprocess
from pathlib import Path

import pytest

from packtrain.errors import KeyMalformed, MissingDependency, SignatureInvalid, StageNotReady
from packtrain.events import discard
from packtrain.stages import carry, custody
from voyage_papers import Papers, arrived

OPENSSL = shutil.which("openssl")
pytestmark = pytest.mark.skipif(OPENSSL is None, reason="no openssl command (Debian package: openssl)")
CONFIG = """
[req]
distinguished_name = name
prompt = no
[name]
CN = {name}
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign
subjectKeyIdentifier = hash
[leaf]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/leaf.pem
signer_key = {folder}/leaf.key
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
accuracy = secs:1
ess_cert_id_alg = sha256
"""


class Authority:
    """A time stamping authority in a folder."""

    def __init__(self, folder: Path, name: str) -> None:
        folder.mkdir()
        self.folder, self.root = folder, folder / "root.pem"
        (folder / "config").write_text(CONFIG.format(name=name, folder=folder))
        (folder / "serial").write_text("01\n")
        make = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30", "-config", "config"]
        self._openssl(*make, "-extensions", "ca", "-keyout", "root.key", "-out", "root.pem")
        leaf = ["-CA", "root.pem", "-CAkey", "root.key", "-subj", f"/CN={name} stamps", "-extensions", "leaf"]
        self._openssl(*make, *leaf, "-keyout", "leaf.key", "-out", "leaf.pem")

    def stamp(self, request: Path) -> Path:
        """Return the response to a request."""
        response = request.with_suffix(".tsr")
        arguments = ["ts", "-reply", "-config", "config", "-queryfile", str(request)]
        self._openssl(*arguments, "-out", str(response))
        return response

    def _openssl(self, *arguments: str) -> None:
        done = subprocess.run(
            [str(OPENSSL), *arguments], cwd=self.folder, capture_output=True, text=True, timeout=60, check=False
        )
        assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    pytest.importorskip("rfc3161_client", reason="packtrain[timestamp] is not installed")
    root = tmp_path_factory.mktemp("authorities")
    return Authority(root / "one", "Time Hall"), Authority(root / "two", "Another Hall")


@pytest.fixture
def papers(tmp_path: Path) -> Papers:
    return arrived(tmp_path)


def requested(papers: Papers) -> Path:
    custody.request_stamp(papers.operator, discard, destination=papers.root / "request.tsq")
    return papers.root / "request.tsq"


def test_a_stamp_bounds_the_entries_below_it_and_is_noted_by_the_holder(papers: Papers, authorities) -> None:
    hall, _ = authorities
    stamp = custody.take_stamp(papers.operator, hall.stamp(requested(papers)), hall.root, discard)
    assert stamp.num_entries == 4
    assert stamp.earliest < stamp.latest
    found = custody.check(papers.operator).check
    assert any("Entries 1 to 4 were written before" in text and "Time Hall" in text for text in found.proven)
    assert found.contradictions == ()
    carry.observe(papers.operator, "seal-checked", discard, cases=("A",))
    told = custody.show(papers.operator)
    assert any(f"time stamp {stamp.token}" in text for text in told)
    assert custody.check(papers.operator).check.contradictions == ()


def test_the_same_stamp_again_is_noted_once(papers: Papers, authorities) -> None:
    hall, _ = authorities
    token = hall.stamp(requested(papers))
    custody.take_stamp(papers.operator, token, hall.root, discard)
    custody.take_stamp(papers.operator, token, hall.root, discard)
    assert sum("time stamp" in text for text in custody.show(papers.operator) if "sighted" in text) == 1


def test_a_stamp_under_another_certificate_is_refused(papers: Papers, authorities) -> None:
    hall, other = authorities
    with pytest.raises(SignatureInvalid, match="does not hold"):
        custody.take_stamp(papers.operator, hall.stamp(requested(papers)), other.root, discard)
    assert not list((papers.operator.documents / "heads").glob("*.tsr"))


def test_a_stamp_over_other_bytes_is_refused(papers: Papers, authorities) -> None:
    hall, _ = authorities
    token = hall.stamp(requested(papers))
    for path in (papers.operator.documents / "heads").iterdir():
        path.unlink()
    carry.observe(papers.operator, "sighted", discard, cases=("A",))
    custody.make_head(papers.operator, discard, destination=papers.root / "head")
    with pytest.raises(SignatureInvalid):
        custody.take_stamp(papers.operator, token, hall.root, discard)


def test_an_altered_stamp_is_refused_at_every_tenth_byte(papers: Papers, authorities) -> None:
    hall, _ = authorities
    whole = hall.stamp(requested(papers)).read_bytes()
    path = papers.root / "altered.tsr"
    # Certificates beside the signer's are not signed over; the first bytes hold status, time and what was stamped.
    for at in range(0, 200, 10):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
        with pytest.raises(SignatureInvalid):
            custody.take_stamp(papers.operator, path, hall.root, discard)


@pytest.mark.parametrize("payload", [b"", b"no token", bytes(70_000)])
def test_what_is_no_token_is_a_message(papers: Papers, authorities, payload: bytes) -> None:
    hall, _ = authorities
    path = papers.root / "x.tsr"
    path.write_bytes(payload)
    with pytest.raises(SignatureInvalid):
        custody.take_stamp(papers.operator, path, hall.root, discard)


def test_what_is_no_certificate_is_a_message(papers: Papers, authorities) -> None:
    hall, _ = authorities
    path = papers.root / "x.pem"
    path.write_text("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
    with pytest.raises(KeyMalformed, match="not a certificate"):
        custody.take_stamp(papers.operator, hall.stamp(requested(papers)), path, discard)


def test_without_the_extra_it_is_a_message(papers: Papers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rfc3161_client", None)
    with pytest.raises(MissingDependency, match="rfc3161-client"):
        requested(papers)


def test_there_is_nothing_to_stamp_before_the_first_seal(papers: Papers) -> None:
    (papers.operator.documents / "custody.jsonl").unlink()
    with pytest.raises(StageNotReady, match="empty"):
        requested(papers)
