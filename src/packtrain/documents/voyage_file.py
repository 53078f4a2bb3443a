"""voyage.toml: what the user wrote. Typed, with a clear message for every typo."""

from __future__ import annotations

import difflib
import re
import tomllib
import typing
from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import AgeRecipient, Label, Part, Text
from packtrain.documents.parties import PublicKeyLine, Role
from packtrain.errors import VoyageFileError

MAX_VOYAGE_FILE_BYTES: Final = 1 << 20
PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class VoyageSection(Part):
    """[voyage]: its name, and whose folder this is."""

    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}\Z")]
    role: Role = "consignor"
    contact: Text = ""


class SourcesSection(Part):
    """[sources]: where the data lies at home."""

    paths: tuple[PathText, ...]
    form: Literal["files"] = "files"


class RecipeSection(Part):
    """[prepare]: the recipe. Every field invalidates `prepare`.

    Without `image_crop_pixels` an image is one sample in its source bytes; with it, a grid of square crops (PNG).
    Without `clip_frames` a clip is one sample in its source bytes; with it, one sample each so many frames, scaled to
    `clip_size_pixels` (animated WebP, lossless). A table becomes samples of `table_block_rows` rows.
    """

    kinds: tuple[Literal["table", "image", "clip"], ...] = ("table", "image", "clip")
    image_crop_pixels: Annotated[int, msgspec.Meta(ge=8, le=4096)] | None = None
    table_block_rows: Annotated[int, msgspec.Meta(ge=1, le=1_000_000)] = 64
    clip_frames: Annotated[int, msgspec.Meta(ge=1, le=10_000)] | None = None
    clip_size_pixels: Annotated[int, msgspec.Meta(ge=8, le=4096)] | None = None
    shard_bytes: Annotated[int, msgspec.Meta(ge=4096)] = 1 << 30
    max_reject_rate: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.1
    miniature_samples: Annotated[int, msgspec.Meta(ge=1)] = 64
    seed: Annotated[int, msgspec.Meta(ge=0)] = 0


class SurviveSection(Part):
    """survive = { cases, drives }: what may be lost."""

    cases: Annotated[int, msgspec.Meta(ge=0, le=254)] = 1
    drives: Annotated[int, msgspec.Meta(ge=0, le=254)] = 0


class CaseSection(Part):
    """[[drives.case]]: one case and the drives in it, by mount point or folder."""

    label: Label
    drives: Annotated[tuple[PathText, ...], msgspec.Meta(min_length=1)]
    carrier: Text = ""
    seal: Text = ""


class DrivesSection(Part):
    """[drives]: cases, bays, and what may be lost."""

    survive: SurviveSection = msgspec.field(default_factory=SurviveSection)
    pack_bays: Annotated[int, msgspec.Meta(ge=1)] | None = None
    load_bays: Annotated[int, msgspec.Meta(ge=1)] | None = None
    case: tuple[CaseSection, ...] = ()


class PartySection(Part):
    """One party of [parties]: a name to show, its age recipient, its SSH signer."""

    recipient: AgeRecipient
    signer: PublicKeyLine
    name: Text = ""


class PartiesSection(Part):
    """[parties]: parties.json is made from it."""

    consignor: PartySection | None = None
    operator: PartySection | None = None
    consignee: PartySection | None = None


class SiteSection(Part):
    """[site]: where the data goes at the far end."""

    store: PathText = "store"
    engine: Literal["local"] = "local"


class TrainingSection(Part):
    """[training]: the program and how it is started."""

    program: PathText
    command: Text
    workers: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 1
    steps: Annotated[int, msgspec.Meta(ge=1)] = 100
    rehearsal_steps: Annotated[int, msgspec.Meta(ge=4)] = 12
    wheels: PathText | None = None
    provided: tuple[Text, ...] = ()
    max_restarts: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 3
    stall_seconds: Annotated[float, msgspec.Meta(gt=0)] = 600.0


class ResultsSection(Part):
    """[results]: what may come home; everything else stays."""

    text_budget_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 20
    retention_years: Annotated[int, msgspec.Meta(ge=1)] = 10


class VoyageFile(Part):
    """All of voyage.toml."""

    voyage: VoyageSection
    sources: SourcesSection | None = None
    prepare: RecipeSection = msgspec.field(default_factory=RecipeSection)
    drives: DrivesSection = msgspec.field(default_factory=DrivesSection)
    parties: PartiesSection = msgspec.field(default_factory=PartiesSection)
    site: SiteSection = msgspec.field(default_factory=SiteSection)
    training: TrainingSection | None = None
    results: ResultsSection = msgspec.field(default_factory=ResultsSection)


def decode_voyage_file(payload: bytes, where: str) -> VoyageFile:
    """Return what voyage.toml says.

    Raises:
        VoyageFileError: not TOML, an unknown field (with the nearest known one as a hint), or a value out of range.
    """
    if len(payload) > MAX_VOYAGE_FILE_BYTES:
        raise VoyageFileError("file is too long", where=where, expected="at most 1 MiB", found=f"{len(payload)} bytes")
    try:
        raw = tomllib.loads(payload.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise VoyageFileError(f"not valid TOML: {error}", where=where) from error
    try:
        return msgspec.convert(raw, VoyageFile)
    except msgspec.ValidationError as error:
        raise _explain(str(error), where) from error


_UNKNOWN_FIELD: Final = re.compile(r"Object contains unknown field `(?P<field>[^`]*)`(?: - at `\$\.?(?P<place>[^`]*)`)?")
_AT: Final = re.compile(r" - at `\$\.?(?P<place>[^`]*)`\Z")


def _explain(text: str, where: str) -> VoyageFileError:
    if match := _UNKNOWN_FIELD.search(text):
        place, field = match.group("place") or "", match.group("field")
        known = _fields_at(place)
        close = difflib.get_close_matches(field, known, n=1)
        return VoyageFileError(
            f'unknown field "{field}" in {f"[{place}]" if place else "the top level"}',
            where=where,
            expected=f"one of {', '.join(known)}",
            found=field,
            hint=f'did you mean "{close[0]}"?' if close else "remove it, or see docs/reference/voyage-toml.md",
        )
    match = _AT.search(text)
    place = match.group("place") if match else ""
    return VoyageFileError(
        f"{place}: {_AT.sub('', text)}" if place else text,
        where=where,
        hint="docs/reference/voyage-toml.md lists every field and its range",
    )


def _fields_at(place: str) -> list[str]:
    current: type[msgspec.Struct] = VoyageFile
    for name in re.sub(r"\[[^\]]*\]", "", place).split("."):
        if not name:
            continue
        names: dict[str, object] = {f.name: f.type for f in msgspec.structs.fields(current)}
        found = next((s for s in _structs_in(names.get(name))), None)
        if found is None:
            return []
        current = found
    return [f.name for f in msgspec.structs.fields(current)]


def _structs_in(annotation: object) -> list[type[msgspec.Struct]]:
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return [annotation]
    return [struct for inner in typing.get_args(annotation) for struct in _structs_in(inner)]
