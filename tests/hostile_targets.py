"""Everything that reads bytes of strangers, one target each: bytes in, a clean refusal or nothing out.

Two drivers feed them: `tests/property/test_hostile_bytes.py` (Hypothesis, in `make test`) and `scripts/fuzz.py`
(atheris, guided by coverage, `make fuzz`). A target may raise `PacktrainError` and nothing else, and may write below
the folder that it is given and nowhere else.
"""

from __future__ import annotations

import base64
import contextlib
import io
import os
import re
import shutil
import tarfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import rfc8785

from image_parts import write_base
from load_parts import Site, copy_site, pack_template
from lock_parts import GOOD as LOCK
from packtrain.crypto import age, dsse, sshsig
from packtrain.crypto.age_header import open_header, parse_header
from packtrain.crypto.age_recipients import check_stanzas
from packtrain.crypto.sshsig import generate_key_pair
from packtrain.dataset.adopt.croissant import read_card
from packtrain.dataset.adopt.row import AdoptedShard, ShardToAdopt
from packtrain.dataset.adopt.webdataset import adopt_tar
from packtrain.dataset.kinds.piece import Damaged
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import decode, encode, namespace
from packtrain.documents.custody_head import CustodyHead
from packtrain.documents.kit import Kit
from packtrain.documents.plan import Plan
from packtrain.documents.recipe import RecipeSection
from packtrain.documents.shipment_key import ShipmentKey
from packtrain.errors import HostileArchive, PacktrainError
from packtrain.events import discard
from packtrain.record import keys
from packtrain.record.custody import head_of, open_line, read_log
from packtrain.record.heads import HeadSignatures, head_file, open_head, read_head_file
from packtrain.record.line_code import LINE_PREFIX, read_line_code, write_line_code
from packtrain.stages.check import check
from packtrain.training import weights_codec
from packtrain.training.kit_lock.read import read_lock
from packtrain.training.kit_lock.resolve import Wanted, resolve
from packtrain.training.oci_image import write_image
from packtrain.training.target import Target as KitTarget
from packtrain.training.update_file import KIT, READY, UPDATE, read_update, write_update
from packtrain.training.weights_codec_base import BaseWeights
from packtrain.units import KIB, MIB
from packtrain.volume import layout, rescue
from packtrain.volume.blocks import parse_block_list
from packtrain.volume.catalog import Catalog
from packtrain.volume.discover import parse_manifest
from packtrain.volume.extract import extract_volume
from packtrain.volume.metadata import Metadata
from packtrain.volume.staging import Staging
from packtrain.volume.turns import Turn
from packtrain.volume.untar import TarReader
from packtrain.web.access import Access
from packtrain.web.request import Refused, read_head
from sample_documents import document_types, samples
from shard_parts import samples as samples_of_shards
from shard_parts import tar_of
from weights_parts import normal_weights, raw_of, write_safetensors

MOST_PLAIN_BYTES: Final = 4 * MIB
"""What a target reads of an endless plaintext before it calls it enough."""

# 1 MiB of memory and milliseconds; what asks for more is held against the bound and not opened.
_QUICK_WORK_FACTOR: Final = 10
_SIZES: Final[Mapping[str, int]] = {"a": 3 * KIB, "empty": 0, "cut": 300 * KIB, "names/" + "long" * 40: 700, "é": 1}
_TYPE: Final = re.compile(rb'"type":"packtrain\.([a-z-]{1,32})"')


@dataclass(frozen=True, slots=True)
class Target:
    """One reader of hostile bytes.

    Attributes:
        seeds: valid inputs to start from.
        feed: the reader; it is given a scratch folder too.
        vectors: further inputs to start from, of `tests/vectors/cargo`, most of them to be refused.
    """

    seeds: tuple[bytes, ...]
    feed: Callable[[bytes, Path], object]
    vectors: tuple[bytes, ...] = ()

    def takes(self, payload: bytes, folder: Path) -> bool:
        """Feed one input; return whether it was taken. Whatever is raised beside `PacktrainError` is a fault."""
        try:
            self.feed(payload, folder)
        except PacktrainError:
            return False
        return True


def _request() -> Target:
    """Return the reader of what a browser sends, followed by the question whether that one may ask."""
    access = Access(["127.0.0.1"], 8427, "Chosen-by-a-person-1234")

    def feed(payload: bytes, _: Path) -> object:
        request = read_head(payload)
        return request if isinstance(request, Refused) else access.refuse(request)

    lines = ("GET /?token=Chosen-by-a-person-1234 HTTP/1.1", "Host: [::1]:8427", "Cookie: a=b; packtrain-8427=c=")
    more = ("Sec-Fetch-Site: none", "Accept: text/html", "Content-Length: 0", "", "")
    return Target(("\r\n".join((*lines, *more)).encode(), b"HEAD /part/now HTTP/1.0\r\nHost: localhost\r\n\r\n"), feed)


def targets(root: Path) -> dict[str, Target]:
    """Return all targets by name; below `root` lies the small shipment that the valid inputs come from."""
    _write_links_and_attributes(root / "template" / "cargo")
    template = pack_template(root / "template", _SIZES, cases=(1, 1, 1), groups=((2, 1),))
    site = copy_site(template, root / "site")
    site.root.joinpath("store").mkdir()
    drive = site.folder("A1")
    return {
        **_documents(site, drive),
        **_volumes(site, root),
        **_envelopes(site, root),
        "drive": _drive(site, drive),
        "rescue": _rescue(site, drive),
        **_adopted(),
        **_kits(root),
        "request": _request(),
        "compressed weights": _weights(root),
        "kit update": _kit_update(root),
    }


def _kits(root: Path) -> dict[str, Target]:
    kit = Kit(
        target_python="3.12",
        target_platform="manylinux_2_28_x86_64",
        program="0" * 64,
        command="train.py",
        files=(),
        provided=(),
    )
    for name in ("kit.json", "kit.json.sig"):
        (root / name).write_bytes(b"{}")

    def lock(payload: bytes, folder: Path) -> None:
        (folder / "uv.lock").write_bytes(payload)
        resolve(read_lock(folder / "uv.lock"), Wanted("prog"), KitTarget("3.12", "manylinux_2_28_x86_64"))

    def image(payload: bytes, folder: Path) -> None:
        (folder / "base.tar").write_bytes(payload)
        write_image(root, kit, folder / "base.tar", folder / "out.tar", "x86_64")

    base = write_base(root / "base.tar").read_bytes()
    return {"uv.lock": Target((LOCK.encode(),), lock), "base image": Target((base,), image)}


def _kit_update(root: Path) -> Target:
    documents = {
        file_name: body
        for name in (UPDATE, KIT, READY)
        for file_name, body in ((name, b"{}" * 300), (f"{name}.sig", b"signature"))
    }
    contents: dict[str, Path] = {}
    for number, body in enumerate((b"", b"print(1)\n", b"x" * 512, b"y" * 3000)):
        path = root / f"content-{number}"
        path.write_bytes(body)
        contents[sha256_bytes(body)] = path
    write_update(root / "update", documents, contents)

    def feed(payload: bytes, folder: Path) -> None:
        path = folder / "update"
        path.write_bytes(payload)
        found = read_update(path)
        taken = {sha256: folder / sha256 for sha256 in found.contents}
        for sha256, target in taken.items():
            found.take(sha256, target)
        write_update(folder / "again", found.documents, taken)
        assert (folder / "again").read_bytes() == payload, "what is taken has one spelling"

    return Target(((root / "update").read_bytes(),), feed)


def _vectors(pattern: str) -> tuple[bytes, ...]:
    found = sorted((Path(__file__).parent / "vectors" / "cargo").glob(pattern))
    return tuple(path.read_bytes() for path in found if path.name != "index.json")


def _write_links_and_attributes(cargo: Path) -> None:
    """Put a set of hard links and a file with extended attributes into the cargo: their headers are the longest."""
    cargo.mkdir(parents=True)
    (cargo / "first").write_bytes(b"linked")
    os.link(cargo / "first", cargo / "second")
    (cargo / "attributes").write_bytes(b"attributes")
    with contextlib.suppress(OSError):  # not every file system has them; the fuzzed tars then lack a record
        os.setxattr(cargo / "attributes", "user.note", b"a=b\n%")


def _documents(site: Site, drive: Path) -> dict[str, Target]:
    by_kind = {kind.kind: kind for kind in document_types()}
    plan_payload, plan_signature = site.packing.plan_files
    volume = next(volume for volume in site.discover().groups[0].volumes if volume.bytes)

    def document(payload: bytes, _: Path) -> None:
        found = _TYPE.search(payload)
        kind = by_kind.get(found[1].decode() if found else "", document_types()[len(payload) % len(by_kind)])
        assert encode(decode(kind, payload, "fuzz")) == payload, "what is taken has one spelling"

    def signature(payload: bytes, _: Path) -> None:
        site.trust.open(Plan, plan_payload, payload, "fuzz")

    lines = read_log((drive / layout.CUSTODY).read_bytes(), site.trust, "fuzz")
    code = write_line_code(lines[-1], site.trust).encode()
    head = encode(head_of(lines, "consignor", lines[-1].event.at))
    head_signature = site.packing.signer.sign(namespace(CustodyHead), head).encode()

    def hand_over_code(payload: bytes, _: Path) -> None:
        # A mutated text is refused by its check sum; bytes that are no text get one that fits.
        text = payload.decode("latin-1") if payload.startswith(LINE_PREFIX.encode()) else _code_of(payload)
        line = read_line_code(text, site.trust, "fuzz").line
        assert open_line(line.payload, site.trust, "fuzz") == line, "what is rebuilt is a line of a log"

    return {
        "document": Target(
            tuple(encode(sample) for sample in samples().values()), document, _vectors("document/**/*.json")
        ),
        "signature": Target((plan_signature,), signature),
        "envelope of a statement": Target(
            (dsse.seal(site.packing.signer, b'{"_type":"https://in-toto.io/Statement/v1"}'),),
            lambda payload, _: site.trust.statement_in(payload, "fuzz"),
        ),
        "public key": Target(
            (site.packing.signer.public_line.encode(),),
            lambda payload, _: sshsig.check_public_line(payload.decode("utf-8", "surrogateescape")),
        ),
        "custody log": Target(
            ((drive / layout.CUSTODY).read_bytes(),),
            lambda payload, _: read_log(payload, site.trust, "fuzz"),
            _vectors("custody/**/*.jsonl"),
        ),
        "hand-over code": Target((code, _blob_of(code)), hand_over_code),
        "head file": Target(
            (head_file(HeadSignatures(head, {"consignor": head_signature})),),
            lambda payload, _: open_head(read_head_file(payload, "fuzz"), site.trust, "fuzz"),
        ),
        "manifest": Target(
            ((drive / layout.TAG_MANIFEST).read_bytes(), (drive / layout.MANIFEST).read_bytes()),
            lambda payload, _: parse_manifest(payload, "fuzz"),
        ),
        "block list": Target(
            tuple(path.read_bytes() for path in sorted((drive / "packtrain/blocks").iterdir())),
            lambda payload, _: parse_block_list(payload, volume, "fuzz"),
        ),
    }


def _blob_of(code: bytes) -> bytes:
    body = code.removeprefix(LINE_PREFIX.encode())
    return base64.b32decode(body + b"=" * (-len(body) % 8))[:-4]


def _code_of(blob: bytes) -> str:
    checked = blob + zlib.crc32(blob).to_bytes(4, "big")
    return LINE_PREFIX + base64.b32encode(checked).decode().rstrip("=")


def _volumes(site: Site, root: Path) -> dict[str, Target]:
    identity, group = site.packing.identity, site.discover().groups[0]
    labels = {planned.uuid: planned.label for planned in site.packing.plan.drives}
    places = [volume for volume in group.volumes if volume.bytes and volume.column < group.k]
    sealed = [
        (site.folder(labels[volume.drive]) / layout.volume_name(volume.stripe, volume.column, group.k)).read_bytes()
        for volume in places
    ]
    plains = [age.decrypt_bytes(payload, [identity], 16 * MIB) for payload in sealed]
    sealed_catalog = (site.folder("A1") / layout.CATALOG).read_bytes()
    catalog_path = root / "catalog.sqlite"
    catalog_path.write_bytes(age.decrypt_bytes(sealed_catalog, [identity], 16 * MIB))

    def age_file(payload: bytes, _: Path) -> None:
        reader = age.DecryptReader(io.BytesIO(payload), [identity], strict_single_x25519=True)
        left = MOST_PLAIN_BYTES
        while left > 0 and (piece := reader.read(min(left, 64 * KIB))):
            left -= len(piece)

    def tar(payload: bytes, _: Path) -> None:
        reader = TarReader(_source(payload), "fuzz")
        while reader.next_member() is not None:
            while reader.read_data():
                pass

    def volume(payload: bytes, folder: Path) -> None:
        # The first byte says which volume the catalog is to expect, the rest is its tar.
        place = places[payload[0] % len(places) if payload else 0]
        staging = Staging(folder / "staging")
        shutil.rmtree(staging.root, ignore_errors=True)
        staging.volume_folder(0, place.stripe, place.column).mkdir(parents=True)
        with Catalog.open(catalog_path) as catalog:
            tar = TarReader(_source(payload[1:]), "fuzz")
            turn = Turn()
            with turn:
                extract_volume(tar, catalog, staging, Metadata(), 0, place.stripe, place.column, "fuzz", turn=turn)

    def catalog(payload: bytes, folder: Path) -> None:
        path = folder / "fuzz.sqlite"
        path.write_bytes(payload)
        with Catalog.open(path) as opened:
            for entry in opened.files():
                for piece in opened.pieces_of(entry.id):
                    for _ in opened.members_in(piece.stripe, piece.column):
                        pass

    return {
        "age header": Target((sealed[0][:400],), lambda payload, _: parse_header(io.BytesIO(payload).readline)),
        "age file": Target(
            (sealed_catalog[:3000], sealed[0], sealed[0][: 70 * KIB]), age_file, _vectors("age/**/*.age")
        ),
        "tar": Target(tuple(plains), tar, _vectors("tar/**/*.tar")),
        "volume": Target(tuple(bytes((number,)) + plain for number, plain in enumerate(plains)), volume),
        "catalog": Target((catalog_path.read_bytes(),), catalog),
    }


def _envelopes(site: Site, root: Path) -> dict[str, Target]:
    identity, recipient = site.packing.identity, site.packing.plan.recipient
    generate_key_pair(root / "ssh-key", "")
    ssh_key, phrase = (root / "ssh-key").read_text(), age.Passphrase("fuzz", work_factor=_QUICK_WORK_FACTOR)
    plan = sha256_bytes(site.packing.plan_files[0])
    payload = encode(ShipmentKey(shipment=site.packing.plan.shipment, plan=plan, identity=identity))
    signature = site.packing.signer.sign(namespace(ShipmentKey), payload)
    signed = rfc8785.dumps({"key": payload.decode(), "signature": signature})
    recipients = ([recipient], [phrase], [age.recipient_of(ssh_key)], [recipient, age.recipient_of(ssh_key)])
    sealed = tuple(age.encrypt_bytes(signed, list(to)) for to in recipients)

    def envelope(payload: bytes, _: Path) -> None:
        header = parse_header(io.BytesIO(payload).readline)
        check_stanzas(header.stanzas)
        work = [int(stanza.arguments[1]) for stanza in header.stanzas if stanza.kind == "scrypt"]
        assert max(work, default=0) <= age.MAX_WORK_FACTOR, "more work than any reader does was let through"
        if max(work, default=0) <= _QUICK_WORK_FACTOR:
            open_header(header, [phrase, ssh_key, identity], strict_single_x25519=False)
            age.decrypt_bytes(payload, [phrase, ssh_key, identity], MIB)

    def shipment_key(payload: bytes, _: Path) -> None:
        keys.open_inner(
            age.encrypt_bytes(payload, [recipient]), identity, site.trust, "fuzz",
            shipment=site.packing.plan.shipment, plan=plan, role="consignee",
        )  # fmt: skip

    return {"envelope": Target(sealed, envelope), "shipment key": Target((signed,), shipment_key)}


@contextlib.contextmanager
def _one_file_replaced(drive: Path, payload: bytes) -> Iterator[None]:
    """Put bytes in the place of the file that the first byte chooses; the drive is whole again afterwards."""
    files = _files_of(drive)
    path = files[payload[0] % len(files) if payload else 0]
    whole = path.read_bytes()
    path.write_bytes(payload[1:])
    try:
        yield
    finally:
        path.write_bytes(whole)


def _files_of(drive: Path) -> list[Path]:
    return sorted(path for path in drive.rglob("*") if path.is_file())


def _seeds_of(drive: Path) -> tuple[bytes, ...]:
    files = enumerate(_files_of(drive))
    return tuple(bytes((number,)) + path.read_bytes() for number, path in files if path.stat().st_size < MIB)


def _rescue(site: Site, drive: Path) -> Target:
    """Return the target that runs the program of the drives over them, with one file of one of them replaced."""
    roots = [drive.location for drive in site.drives.values()]

    def feed(payload: bytes, folder: Path) -> None:
        onto = folder / "onto"
        with _one_file_replaced(drive, payload), contextlib.redirect_stdout(io.StringIO()) as said:
            try:
                codes = [rescue.main(["repair", *roots, "--onto", str(onto)]), rescue.main(["commands", *roots])]
            finally:
                shutil.rmtree(onto, ignore_errors=True)
        assert set(codes) <= {0, 1, 40, 41}
        assert all(" " <= character <= "~" or character == "\n" for character in said.getvalue())

    return Target(_seeds_of(drive), feed)


def _drive(site: Site, drive: Path) -> Target:
    """Return the target that checks and loads all drives, with one file of one of them replaced."""

    def feed(payload: bytes, folder: Path) -> None:
        here = Site(folder, site.packing, site.written, site.drives)
        try:
            with _one_file_replaced(drive, payload):
                check(None, list(site.drives.values()), discard)
                here.load()
                # One drive of three may lie: what was loaded is the cargo, whole.
                here.assert_loaded()
        finally:
            shutil.rmtree(folder / "store", ignore_errors=True)
            (folder / "load.jsonl").unlink(missing_ok=True)

    return Target(_seeds_of(drive), feed)


def _adopted() -> dict[str, Target]:
    """Return the targets that read ready shards, and the descriptions that come with them."""
    members = [*samples_of_shards(3, 1), ("long/" + "name" * 60 + ".jpg", b"no picture"), ("0.clip.webm", b"no clip")]
    shards = tuple(tar_of(members, form) for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT))
    named = {"@type": "cr:FileObject", "@id": "a", "contentUrl": "a.tar", "sha256": "0" * 64}
    inside = {"@type": "cr:FileSet", "@id": "b", "containedIn": {"@id": "a"}, "includes": ["**/*.tar", "a?.tar"]}
    pattern = {"@type": "cr:FileSet", "@id": "c", "includes": "*/train/**/*.parquet", "excludes": "x/*"}
    card = rfc8785.dumps({"@type": "sc:Dataset", "distribution": [named, inside, pattern]})

    def shard(payload: bytes, folder: Path) -> None:
        path = folder / "shard.tar"
        path.write_bytes(payload)
        found = AdoptedShard(ShardToAdopt("set/shard.tar", len(payload), 0))
        try:
            with path.open("rb") as stream:
                adopt_tar(
                    found,
                    stream,
                    RecipeSection(),
                    "unit",
                    decode=True,
                    given_up=lambda _: False,
                    reading=lambda _: None,
                )
        except Damaged as error:
            raise HostileArchive(str(error)) from error
        for row in found.rows:
            places = [(row["blob_offset"], row["blob_bytes"]), *msgspec.json.decode(row["detail"])["members"].values()]
            assert all(at >= 0 and at + size <= len(payload) for at, size in places), "a place outside of the shard"

    def croissant(payload: bytes, _: Path) -> None:
        read_card(payload, "fuzz").names("a/train/" + "b/" * 40 + "c.parquet")

    return {"adopted shard": Target(shards, shard), "croissant": Target((card,), croissant)}


def _weights(root: Path) -> Target:
    """Return the target that opens compressed weights, some of them a difference to a base."""
    numbers = {moved: raw_of(normal_weights(4000, moved), "F32") for moved in (0.0, 2e-5)}
    base_path, path = (
        write_safetensors(
            root / name, {"w": ("F32", (4000,), numbers[moved]), "b": ("BF16", (4000,), numbers[moved][:8000])}
        )
        for name, moved in (("base.safetensors", 0.0), ("weights.safetensors", 2e-5))
    )
    base = BaseWeights(base_path)
    seeds: list[bytes] = []
    for of_base in (None, base):
        packed = io.BytesIO()
        weights_codec.compress(path, packed, of_base)
        seeds.append(packed.getvalue())

    def feed(payload: bytes, _: Path) -> None:
        # As long as the file itself says: the longest way through the reader.
        total_bytes = int.from_bytes(payload[20:28], "little")
        opened = io.BytesIO()
        weights_codec.decompress(io.BytesIO(payload), opened, total_bytes, base, "fuzz")
        assert len(opened.getvalue()) == total_bytes

    return Target(tuple(seeds), feed)


def _source(payload: bytes) -> Callable[[memoryview], int]:
    return io.BytesIO(payload).readinto
