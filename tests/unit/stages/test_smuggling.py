"""Five ways to smuggle data out among the results: each is caught, or the export list says that it cannot be."""

import base64
import gzip
import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from packtrain.crypto import age
from packtrain.digest import sha256_bytes, sha256_file
from packtrain.documents.codec import encode, namespace
from packtrain.documents.dataset import Dataset
from packtrain.documents.export_list import ExportedFile, ExportList
from packtrain.documents.parties import Role
from packtrain.documents.provenance import Provenance, Result, TrainedAttempt
from packtrain.documents.receipt import Receipt
from packtrain.errors import ExportDenied, SourceUnreadable
from packtrain.events import Event, Notice, Progress, discard
from packtrain.record.folder import VoyageFolder
from packtrain.stages import homecoming
from packtrain.stages.homecoming.provenance import provenance_files
from packtrain.training import guard
from packtrain.training.canaries import CANARY_NAME, KEPT_FOLDER, new_canary
from packtrain.training.loader import SampleStore
from packtrain.training.needles import Needles
from packtrain.training.outbox import results_digest
from sample_documents import samples
from three_parties import copy_of_parties
from trained_parts import save_state, trained_site

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_torch,
    pytest.mark.filterwarnings("ignore:torch.distributed is disabled"),
]

Folders = dict[Role, VoyageFolder]
DECLARATION = """
[text]
files = ["metrics.jsonl", "notes.txt"]

[[tensors]]
name = "model.*.weight"
dtype = "float32"
shape = [128, 64]
count = 2
"""
NUM_BYTES = 128 * 64


def weights(layer: int) -> Any:
    """Return what a small layer looks like after training."""
    import torch

    return torch.randn(128, 64, generator=torch.Generator().manual_seed(layer)) * 0.02


def state_of(second: Any = None, **more: Any) -> dict[str, Any]:
    """Return what the checkpoint of a training holds, with this as its second layer."""
    return {"model": {"0": {"weight": weights(0)}, "1": {"weight": weights(1) if second is None else second}}, **more}


def save_checkpoint(folder: VoyageFolder, second: Any = None, **more: Any) -> Path:
    """Write another checkpoint in the place of the one that is there."""
    shutil.rmtree(folder.work / "checkpoints")
    return save_state(folder, state_of(second, **more))


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three folders after `train`, with a canary in the store and its copy at home; tests work on copies."""
    root = tmp_path_factory.mktemp("trained")
    folders = trained_site(root, DECLARATION, state_of(), {"notes.txt": "went well\n"})
    home, folder = folders["consignor"], folders["consignee"]
    dataset = samples()[Dataset]
    home.write(dataset)
    (home.work / KEPT_FOLDER).mkdir(parents=True)
    for place in (home.work / KEPT_FOLDER, folder.root / "store"):
        place.joinpath(CANARY_NAME).write_bytes(new_canary() if place == home.work / KEPT_FOLDER else b"")
    shutil.copy(home.work / KEPT_FOLDER / CANARY_NAME, folder.root / "store" / CANARY_NAME)
    (folder.root / "store" / "dataset.json").write_bytes(encode(dataset))
    return root


@pytest.fixture
def site(trained: Path, tmp_path: Path) -> Folders:
    return copy_of_parties(trained, tmp_path / "site")


@pytest.fixture(scope="module")
def exported(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("exported") / "site"
    homecoming.export(copy_of_parties(trained, root)["consignee"], discard)
    return root


@pytest.fixture
def after(exported: Path, tmp_path: Path) -> Folders:
    return copy_of_parties(exported, tmp_path / "site")


def outbox_of(folders: Folders) -> Path:
    return folders["consignee"].root / "outbox"


def refused(folders: Folders, match: str) -> None:
    with pytest.raises(ExportDenied, match=match):
        homecoming.export(folders["consignee"], discard)
    assert not (outbox_of(folders) / "export-list.json").exists()


def stolen(folders: Folders, num_bytes: int = NUM_BYTES) -> bytes:
    """Return bytes of samples, as many as one tensor has numbers."""
    store = SampleStore(folders["consignee"].root / "store")
    joined = b"".join(store[row].payload for row in range(len(store)))
    return (joined * (num_bytes // len(joined) + 1))[:num_bytes]


def canary_of(folders: Folders) -> bytes:
    return (folders["consignee"].root / "store" / CANARY_NAME).read_bytes()


# --- as it should be -------------------------------------------------------------------------------------------------


def test_honest_results_leave_and_come_home_and_the_list_says_what_was_looked_for(after: Folders) -> None:
    checks = "; ".join(after["consignee"].read_signed(ExportList).checks)
    for part in (
        "2 as declared",
        "1 canaries (",
        "of 15 of 15 samples: in no text",
        "stretches of 32 bytes of them: in no weights",
        "digests of 15 samples and",
        f"{2 * NUM_BYTES} look like those of a model, 0 were not judged",
        "7 digits each",
        guard.LIMITS,
    ):
        assert part in checks
    told: list[Event] = []
    homecoming.release(after["operator"], outbox_of(after), told.append)
    shown = "\n".join(event.text for event in told if isinstance(event, Notice))
    assert "tensors of float32: 2, 65536 bytes" in shown
    assert guard.LIMITS in shown
    receipt = homecoming.accept(after["consignor"], outbox_of(after), discard)
    assert receipt.facts["searched again"].startswith("1 canaries (")


# --- 1. an extra tensor ----------------------------------------------------------------------------------------------


def test_an_extra_tensor_stays_and_so_does_an_object_that_would_run(site: Folders, tmp_path: Path) -> None:
    import torch

    rows = torch.frombuffer(bytearray(stolen(site)), dtype=torch.uint8)
    save_checkpoint(site["consignee"], extra={"rows": rows}, more={"object": Evil(tmp_path / "ran")})
    receipt = homecoming.export(site["consignee"], discard)
    assert receipt.counts["tensors_left"] == 2
    assert not (tmp_path / "ran").exists()
    assert [tensor.name for tensor in site["consignee"].read_signed(ExportList).tensors] == [
        "model.0.weight",
        "model.1.weight",
    ]
    raw = (site["consignee"].work / "export" / "weights.safetensors").read_bytes()
    assert stolen(site)[:64] not in raw and b"rows" not in raw


def test_a_declared_name_does_not_cover_a_tensor_of_another_shape(site: Folders) -> None:
    import torch

    save_checkpoint(site["consignee"], torch.randn(64, 128))
    refused(site, "does not hold what export.toml declares")


# --- 2. a pickle -----------------------------------------------------------------------------------------------------


class Evil:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self._path}",)


def test_a_pickle_in_the_place_of_a_tensor_is_refused_and_never_run(site: Folders, tmp_path: Path) -> None:
    import torch

    place = save_checkpoint(site["consignee"])
    torch.save(Evil(tmp_path / "ran"), tmp_path / "evil.pt")
    evil = (tmp_path / "evil.pt").read_bytes()
    for path in place.glob("*.distcp"):
        path.write_bytes(evil + path.read_bytes()[len(evil) :])
    refused(site, "checkpoint cannot be read")
    assert not (tmp_path / "ran").exists()


def test_a_pickle_in_the_place_of_a_checkpoint_is_refused(site: Folders, tmp_path: Path) -> None:
    import torch

    shutil.rmtree(site["consignee"].work / "checkpoints" / "step-00000004")
    torch.save(Evil(tmp_path / "ran"), site["consignee"].work / "checkpoints" / "step-00000004")
    refused(site, "no complete checkpoint")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("write", [bytes, bytes.hex, base64.b64encode], ids=["as it is", "hexadecimal", "base64"])
def test_a_pickle_in_a_text_is_refused(site: Folders, write: Callable[[bytes], Any], tmp_path: Path) -> None:
    import pickle

    written = write(pickle.dumps(Evil(tmp_path / "ran")))
    path = site["consignee"].work / "results" / "notes.txt"
    path.write_bytes(written if isinstance(written, bytes) else written.encode())
    refused(site, "UTF-8|control characters|pickle")
    assert not (tmp_path / "ran").exists()


# --- 3. a text file --------------------------------------------------------------------------------------------------


TEXTS: dict[str, Callable[[bytes], bytes]] = {
    "base64": base64.b64encode,
    "hexadecimal": lambda raw: raw.hex().encode(),
    "hexadecimal backwards": lambda raw: raw[::-1].hex().encode(),
    "gzip in base64": lambda raw: base64.b64encode(gzip.compress(raw)),
    "numbers in lines": lambda raw: "".join(f"{number},{byte}\n" for number, byte in enumerate(raw)).encode(),
    "base85": base64.b85encode,
}


@pytest.mark.parametrize("text", TEXTS)
@pytest.mark.parametrize("what", ["sample", "canary"])
def test_a_sample_or_a_canary_in_a_text_within_the_budget_is_caught(site: Folders, what: str, text: str) -> None:
    store = SampleStore(site["consignee"].root / "store")
    raw = store[8].payload[:300] if what == "sample" else canary_of(site)
    content = b"went well: " + TEXTS[text](raw) + b"\n"
    with pytest.raises(ExportDenied, match=r"training data lies in .* (found .*)?(sample|canary)"):
        search_text(site, content)


def search_text(folders: Folders, content: bytes) -> None:
    """Search a text alone, as the stage does after it took the weights: without torch."""
    from packtrain.training.canaries import read_tokens

    root = folders["consignee"].root / "store"
    path = folders["consignee"].work / "results" / "notes.txt"
    path.write_bytes(content)
    guard.search_texts_at_site([path], SampleStore(root), read_tokens(root, (CANARY_NAME,)), ["7" * 64])


def test_the_stage_itself_refuses_a_text_with_a_canary(site: Folders) -> None:
    (site["consignee"].work / "results" / "notes.txt").write_bytes(TEXTS["gzip in base64"](canary_of(site)))
    refused(site, "training data lies in")


@pytest.mark.parametrize("content", [b"made from " + b"7" * 64, base64.b64encode(bytes.fromhex("7" * 64))])
def test_the_digest_of_a_shard_in_a_text_is_caught(site: Folders, content: bytes) -> None:
    with pytest.raises(ExportDenied, match="digest 777777777777 of a sample or shard"):
        search_text(site, content)


def test_encrypted_bytes_in_a_text_are_refused_for_being_unreadable(site: Folders) -> None:
    with pytest.raises(ExportDenied, match="more encoded bytes than a person could read"):
        search_text(site, base64.encodebytes(os.urandom(4000)))


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ('{"step": 1, "loss": 2.0, "row": "Anna,Berlin,1971"}', "no number that leaves"),
        ('{"step": 1, "Anna Berlin 1971": 2.0}', "no plain name"),
        ('{"step": 1, "loss": [1, 2]}', "no number that leaves"),
        ('{"step": 1, "step": 2, "loss": 1}', "given twice"),
        ('{"loss": 2.0}', "has no step"),
        ("row,Anna,Berlin,1971", "no JSON object"),
        ('{"step": 123456789012345678901234567890}', "has no step"),
        ('{"step": 1, "loss": 123456789012345678901234567890}', "no number that leaves"),
    ],
)
def test_metrics_hold_numbers_and_nothing_else(site: Folders, line: str, why: str) -> None:
    (site["consignee"].logs / "metrics.jsonl").write_text(f"{line}\n")
    refused(site, why)


def test_metrics_leave_with_seven_digits_and_the_list_says_what_these_can_carry(site: Folders) -> None:
    lines = '{"loss":   2.3456789012345678, "samples": 8, "step": 1}\n\n{"step":2,"lr":1e-05,"loss":null}\n'
    (site["consignee"].work / "results" / "metrics.jsonl").write_text(lines)
    (site["consignee"].root / "store" / CANARY_NAME).unlink()
    homecoming.export(site["consignee"], discard)
    leaves = (site["consignee"].work / "export" / "metrics.jsonl").read_text()
    assert leaves == '{"step": 1, "loss": 2.345679, "samples": 8}\n{"step": 2, "loss": null, "lr": 1e-05}\n'
    checks = site["consignee"].read_signed(ExportList).checks
    assert "no canaries were planted, or none lie in the store any more" in checks
    assert any("metrics.jsonl" in check and "what digits could carry is not looked for" in check for check in checks)


def test_metrics_of_a_program_that_was_restarted_and_went_astray_leave_as_the_steps_that_count(site: Folders) -> None:
    lines = [
        *('{"step": 1, "train/Loss": 2.5}', '{"step": 2, "train/Loss": NaN}', '{"step": 3, "train/Loss": 9.0}'),
        *('{"step": 2, "train/Loss": 2.0}', '{"step": 3, "train/Loss": Infinity}'),
    ]
    (site["consignee"].work / "results" / "metrics.jsonl").write_text("\n".join(lines))
    homecoming.export(site["consignee"], discard)
    leaves = (site["consignee"].work / "export" / "metrics.jsonl").read_text()
    wanted = [{"step": 1, "train/Loss": 2.5}, {"step": 2, "train/Loss": 2.0}, {"step": 3, "train/Loss": None}]
    assert leaves == "".join(f"{json.dumps(line)}\n" for line in wanted)


# --- 4. padding in safetensors: both ends of the site conspire -------------------------------------------------------


def header_of(raw: bytes) -> tuple[dict[str, Any], bytes]:
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), raw[8 + length :]


def with_header(text: bytes, data: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text + data


def compact(header: object) -> bytes:
    text = json.dumps(header, separators=(",", ":")).encode()
    return text + b" " * (-len(text) % 8)


def shifted(header: dict[str, Any], by: int, first: int = 0) -> dict[str, Any]:
    names = list(header)
    return {
        name: {**entry, "data_offsets": [offset + (by if names.index(name) >= first else 0) for offset in places]}
        for name, entry in header.items()
        for places in [entry["data_offsets"]]
    }


SECRET = b"Anna,Berlin,1971"
PADDINGS: dict[str, Callable[[dict[str, Any], bytes], bytes]] = {
    "bytes behind": lambda header, data: with_header(compact(header), data + SECRET),
    "bytes in front": lambda header, data: with_header(compact(shifted(header, 16)), SECRET + data),
    "bytes between": lambda header, data: with_header(
        compact(shifted(header, 16, 1)), data[: len(data) // 2] + SECRET + data[len(data) // 2 :]
    ),
    "metadata": lambda header, data: with_header(compact({"__metadata__": {"row": SECRET.decode()}, **header}), data),
    "a field more": lambda header, data: with_header(
        compact({name: {**entry, "row": SECRET.decode()} for name, entry in header.items()}), data
    ),
    "spaces in the header": lambda header, data: with_header(compact(header) + b" " * 8 * len(SECRET), data),
    "spaces between fields": lambda header, data: with_header(json.dumps(header).encode(), data),
    "tabs for ones": lambda header, data: with_header(compact(header).rstrip() + b"\t \t ", data),
    "a name twice": lambda header, data: with_header(
        compact(header).rstrip()[:-1] + b',"model.0.weight":' + compact(header["model.0.weight"]).rstrip() + b"}",
        data,
    ),
    "names in another order": lambda header, data: with_header(
        compact(dict(reversed(shifted(header, 0).items()))), data
    ),
    "order of places": lambda header, data: with_header(
        compact(
            {
                "model.1.weight": {**header["model.0.weight"]},
                "model.0.weight": {**header["model.1.weight"]},
            }
        ),
        data,
    ),
    "escapes for letters": lambda header, data: with_header(
        compact(header).replace(b"model.0", b"\\u006dodel.0"), data
    ),
    "order of fields": lambda header, data: with_header(
        compact({name: dict(reversed(entry.items())) for name, entry in header.items()}), data
    ),
    "fewer bytes than the shape has": lambda header, data: with_header(
        compact({**header, "model.1.weight": {**header["model.1.weight"], "dtype": "F64"}}), data
    ),
}


def conspire(after: Folders, name: str, content: bytes, **told: Any) -> None:
    """Put another file in the place of one that was exported; let consignee and operator sign for it, and its origin.

    `told` is what the provenance says beside what the papers say.
    """
    consignee, outbox = after["consignee"], outbox_of(after)
    consignor = after["consignee"].parties().of("consignor")
    assert consignor is not None
    document = consignee.read_signed(ExportList)
    path = consignee.work / "export" / name
    path.write_bytes(content)
    with (outbox / f"{name}.age").open("wb") as stream:
        age.encrypt_file(path, stream, consignor.recipient)
    sealed = outbox / f"{name}.age"
    changed = replace(
        next(file for file in document.files if file.name == name),
        bytes=len(content),
        sha256=sha256_file(path),
        sealed_bytes=sealed.stat().st_size,
        sealed_sha256=sha256_file(sealed),
    )
    files: tuple[ExportedFile, ...] = tuple(changed if file.name == name else file for file in document.files)
    document = replace(document, files=files, results=results_digest((file.name, file.sha256) for file in files))
    payload = encode(document)
    signature = consignee.signer().sign(namespace(ExportList), payload)
    (outbox / "export-list.json").write_bytes(payload)
    (outbox / "export-list.json.sig").write_text(signature)
    countersignature = after["operator"].signer().sign(namespace(ExportList), payload)
    (outbox / "export-list.json.operator.sig").write_text(countersignature)
    made = replace(
        consignee.read_signed(Provenance),
        export_list=sha256_bytes(payload),
        results=document.results,
        files=tuple(Result(name=file.name, bytes=file.bytes, sha256=file.sha256) for file in files),
        **told,
    )
    for role in ("consignee", "operator"):
        for beside, signed in provenance_files(after[role], made).items():
            (outbox / beside).write_bytes(signed)


@pytest.mark.parametrize("padding", PADDINGS)
def test_padding_in_safetensors_is_refused_at_home(after: Folders, padding: str) -> None:
    raw = (after["consignee"].work / "export" / "weights.safetensors").read_bytes()
    header, data = header_of(raw)
    assert with_header(compact(header), data) == raw, "the library writes what is taken for plain"
    conspire(after, "weights.safetensors", PADDINGS[padding](header, data))
    with pytest.raises(ExportDenied):
        homecoming.accept(after["consignor"], outbox_of(after), discard)
    assert not (after["consignor"].root / "results").exists()


def test_a_canary_that_the_site_took_out_of_its_store_is_found_at_home(after: Folders) -> None:
    conspire(after, "notes.txt", TEXTS["base64"](canary_of(after)))
    with pytest.raises(ExportDenied, match="training data lies in"):
        homecoming.accept(after["consignor"], outbox_of(after), discard)
    assert not (after["consignor"].root / "results").exists()


NOTES = b"went well\n"


def ended(reason: str) -> TrainedAttempt:
    return TrainedAttempt(attempt=1, kit=None, seconds=1.0, reason=reason)


def test_a_canary_in_the_words_of_a_provenance_is_found_at_home(after: Folders) -> None:
    conspire(after, "notes.txt", NOTES, attempts=(ended(base64.b64encode(canary_of(after)).decode()),))
    with pytest.raises(ExportDenied, match=r"training data lies in"):
        homecoming.accept(after["consignor"], outbox_of(after), discard)
    assert not (after["consignor"].root / "results").exists()


def test_a_provenance_takes_no_more_words_along_than_leave_with_it(after: Folders) -> None:
    noise = os.urandom(1500)
    many = tuple(ended((noise + bytes([number])).hex()) for number in range(100))
    conspire(after, "notes.txt", NOTES, attempts=many)
    for party, take in ((after["operator"], homecoming.release), (after["consignor"], homecoming.accept)):
        with pytest.raises(ExportDenied, match="more words"):
            take(party, outbox_of(after), discard)


def attempted(site: Folders, reason: str) -> None:
    """Let the log of attempts say why one ended; the program can write it, as it runs as the same user."""
    place = site["consignee"].logs / "train"
    place.mkdir(parents=True)
    line = {"attempt": 1, "started_seconds": 0, "ended_seconds": 1, "reason": reason}
    (place / "attempts.jsonl").write_text(json.dumps(line) + "\n")


@pytest.mark.parametrize("length", [120, 9_000])
def test_a_reason_of_an_attempt_that_no_engine_gives_stays(site: Folders, length: int) -> None:
    attempted(site, base64.b64encode(stolen(site, 120)).decode() * (length // 120))
    homecoming.export(site["consignee"], discard)
    (attempt,) = site["consignee"].read_signed(Provenance).attempts
    assert attempt.reason == "noted in other words than an engine's, which stay here"


def test_a_party_that_lost_its_canaries_says_that_it_did_not_look_for_them(after: Folders) -> None:
    home = after["consignor"]
    shutil.rmtree(home.work / KEPT_FOLDER)
    packed = samples()[Receipt]
    assert isinstance(packed, Receipt)
    home.write_receipt(replace(packed, stage="pack", counts={"canaries": 1}))
    homecoming.release(after["operator"], outbox_of(after), discard)
    told = homecoming.accept(home, outbox_of(after), discard).facts["searched again"]
    assert told.startswith("1 canaries were planted, and the numbers of 0 are here")


def test_metrics_with_more_digits_than_leave_are_refused_at_home(after: Folders) -> None:
    conspire(after, "metrics.jsonl", b'{"step": 1, "loss": 2.3456789012345678, "samples": 8}\n')
    with pytest.raises(ExportDenied, match="not written as it leaves"):
        homecoming.accept(after["consignor"], outbox_of(after), discard)


def test_weights_that_are_bytes_are_refused_at_home(after: Folders) -> None:
    raw = (after["consignee"].work / "export" / "weights.safetensors").read_bytes()
    header, data = header_of(raw)
    import torch

    numbers = torch.frombuffer(bytearray(os.urandom(NUM_BYTES)), dtype=torch.uint8).float() / 255
    conspire(
        after, "weights.safetensors", with_header(compact(header), data[: len(data) // 2] + numbers.numpy().tobytes())
    )
    with pytest.raises(ExportDenied, match="does not look like weights"):
        homecoming.accept(after["consignor"], outbox_of(after), discard)


# --- 5. bytes of samples as weights ----------------------------------------------------------------------------------


def as_numbers(raw: bytes) -> Any:
    import torch

    return torch.frombuffer(bytearray(raw), dtype=torch.uint8)


def called_floats(raw: bytes) -> Any:
    """Return bytes as they are, called float32; what is no number is mended, or the export stops for that already."""
    import torch

    return torch.frombuffer(bytearray(raw * 4), dtype=torch.float32).nan_to_num().reshape(128, 64)


def in_low_bits(raw: bytes) -> Any:
    import torch

    bits = weights(1).view(torch.int32).reshape(-1)
    return ((bits & ~0xFF) | as_numbers(raw).int()).view(torch.float32).reshape(128, 64)


CAUGHT: dict[str, tuple[Callable[[bytes], Any], str]] = {
    "as they are": (called_floats, "training data lies in"),
    "a number a byte": (lambda raw: as_numbers(raw).float().reshape(128, 64), "does not look like weights"),
    "from 0 to 1": (lambda raw: (as_numbers(raw).float() / 255).reshape(128, 64), "does not look like weights"),
    "around 0": (lambda raw: ((as_numbers(raw).float() - 128) / 128).reshape(128, 64), "does not look like weights"),
    "compressed, called floats": (
        lambda raw: called_floats((gzip.compress(raw) * 20)[:NUM_BYTES]),
        "does not look like weights",
    ),
    "encrypted, called floats": (lambda raw: called_floats(os.urandom(len(raw))), "does not look like weights"),
    "in the lowest bits": (in_low_bits, "training data lies in"),
}


@pytest.mark.parametrize("way", CAUGHT)
def test_bytes_of_samples_as_weights_are_caught(after: Folders, way: str) -> None:
    import torch
    from safetensors.torch import save_file

    make, why = CAUGHT[way]
    tensor = make(stolen(after))
    assert torch.isfinite(tensor).all(), "what is not finite is refused before it is looked at"
    path = after["consignee"].work / "weights.safetensors"
    save_file({"w": tensor}, path)
    searched = guard.search_texts_at_site([], SampleStore(after["consignee"].root / "store"), (), ())
    with pytest.raises(ExportDenied, match=why):
        guard.search_weights([path], searched.needles, {})


def test_the_stage_itself_refuses_bytes_of_samples_as_weights(site: Folders) -> None:
    make, why = CAUGHT["from 0 to 1"]
    save_checkpoint(site["consignee"], make(stolen(site)))
    refused(site, why)


def test_encrypted_bytes_in_the_lowest_bits_leave_and_the_list_says_that_nobody_could_tell(site: Folders) -> None:
    hidden = os.urandom(NUM_BYTES)
    save_checkpoint(site["consignee"], in_low_bits(hidden))
    homecoming.export(site["consignee"], discard)
    raw = (site["consignee"].work / "export" / "weights.safetensors").read_bytes()
    _, data = header_of(raw)
    assert data[len(data) // 2 :: 4] == hidden, "they came through: this is what cannot be seen"
    assert "low bits of weights" in site["consignee"].read_signed(ExportList).checks[-1]


@pytest.mark.parametrize("name", ["weights.safetensors", "notes.txt"])
def test_what_is_swapped_between_search_and_sealing_does_not_leave(site: Folders, name: str) -> None:
    # As a process would that the training left behind.
    path = site["consignee"].work / "export" / name

    def swap(event: Event) -> None:
        if isinstance(event, Progress) and event.activity.startswith("sealing"):
            content = bytearray(path.read_bytes())
            content[-8:] = b"smuggled"
            path.write_bytes(content)

    assert site["consignee"].voyage_file().results.compress == "auto"
    with pytest.raises(ExportDenied, match="changed between the search and the sealing"):
        homecoming.export(site["consignee"], swap)
    assert not list(outbox_of(site).iterdir())


def test_a_place_in_the_data_that_a_checkpoint_names_after_the_search_does_not_leave(site: Folders) -> None:
    place = site["consignee"].work / "checkpoints" / "step-00000004" / "position.json"
    position = {"seed": 0, "epoch": 0, "samples_consumed": 0, "order_version": "random-1"}
    position |= {"index_digest": base64.b64encode(stolen(site, 120)).decode()}

    def name_it(event: Event) -> None:
        if isinstance(event, Progress) and event.activity.startswith("sealing"):
            place.write_text(json.dumps(position))

    homecoming.export(site["consignee"], name_it)
    assert place.exists()
    assert site["consignee"].read_signed(Provenance).position.startswith("not known")
    with pytest.raises(ExportDenied, match="training data lies in"):
        homecoming.export(site["consignee"], discard)


def test_numbers_that_are_none_are_refused_whatever_the_reader_of_checkpoints_said(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    content = weights(0)
    content[5, 5] = float("nan")
    path = tmp_path / "weights.safetensors"
    for values in ("weights", "few", "any"):
        save_file({"w": content}, path)
        with pytest.raises(ExportDenied, match="not finite"):
            guard.search_weights([path], Needles([]), {"w": values})


# --- a folder that is carried as it is has no index ------------------------------------------------------------------


@pytest.fixture
def carried(site: Folders) -> Folders:
    store = site["consignee"].root / "store"
    shutil.rmtree(store)
    (store / "deep").mkdir(parents=True)
    for number in range(5):
        (store / "deep" / f"{number}.bin").write_bytes(bytes(random.Random(number).randbytes(900)))
    (store / "away").symlink_to("/etc")
    return site


def test_results_of_a_folder_without_an_index_come_home_and_the_list_says_what_was_looked_for(carried: Folders) -> None:
    homecoming.export(carried["consignee"], discard)
    checks = "; ".join(carried["consignee"].read_signed(ExportList).checks)
    assert "the store has no index" in checks and "of 5 in all" in checks
    assert "any 39 bytes of 5 of 5 samples" in checks and "digests of 0 samples and 0 shards" in checks


def test_bytes_of_such_a_folder_s_files_are_caught(carried: Folders) -> None:
    content = (carried["consignee"].root / "store" / "deep" / "3.bin").read_bytes()
    notes = carried["consignee"].work / "results" / "notes.txt"
    notes.write_text(base64.b64encode(content[200:260]).decode())
    refused(carried, "training data lies in")
    notes.write_text("went well\n")
    save_checkpoint(carried["consignee"], in_low_bits((content * 10)[:NUM_BYTES]))
    refused(carried, "training data lies in")


def test_a_store_whose_index_is_gone_is_not_taken_for_a_folder(site: Folders) -> None:
    (site["consignee"].root / "store" / "index.parquet").unlink()
    with pytest.raises(SourceUnreadable, match="index cannot be read"):
        homecoming.export(site["consignee"], discard)
