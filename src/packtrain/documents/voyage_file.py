"""voyage.toml: what the user wrote. Typed, with a clear message for every typo."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import AgeRecipient, Label, Part, Text
from packtrain.documents.parties import PublicKeyLine, Role
from packtrain.documents.toml_file import decode_toml
from packtrain.errors import VoyageFileError

PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096)]


class VoyageSection(Part, frozen=True, kw_only=True):
    """[voyage]: its name, and whose folder this is."""

    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}\Z")]
    role: Role = "consignor"
    contact: Text = ""


class SourcesSection(Part, frozen=True, kw_only=True):
    """[sources]: where the data lies at home."""

    paths: tuple[PathText, ...]
    form: Literal["files"] = "files"


class RecipeSection(Part, frozen=True, kw_only=True):
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


class SurviveSection(Part, frozen=True, kw_only=True):
    """survive = { cases, drives }: what may be lost."""

    cases: Annotated[int, msgspec.Meta(ge=0, le=254)] = 1
    drives: Annotated[int, msgspec.Meta(ge=0, le=254)] = 0


class CaseSection(Part, frozen=True, kw_only=True):
    """[[drives.case]]: one case and the drives in it, by mount point or folder."""

    label: Label
    drives: Annotated[tuple[PathText, ...], msgspec.Meta(min_length=1)]
    carrier: Text = ""
    seal: Text = ""


class DrivesSection(Part, frozen=True, kw_only=True):
    """[drives]: cases, bays, and what may be lost."""

    survive: SurviveSection = msgspec.field(default_factory=SurviveSection)
    pack_bays: Annotated[int, msgspec.Meta(ge=1)] | None = None
    load_bays: Annotated[int, msgspec.Meta(ge=1)] | None = None
    case: tuple[CaseSection, ...] = ()


class PartySection(Part, frozen=True, kw_only=True):
    """One party of [parties]: a name to show, its age recipient, its SSH signer."""

    recipient: AgeRecipient
    signer: PublicKeyLine
    name: Text = ""


class PartiesSection(Part, frozen=True, kw_only=True):
    """[parties]: parties.json is made from it."""

    consignor: PartySection | None = None
    operator: PartySection | None = None
    consignee: PartySection | None = None


class SiteSection(Part, frozen=True, kw_only=True):
    """[site]: where the data goes at the far end."""

    store: PathText = "store"
    engine: Literal["local"] = "local"


class TrainingSection(Part, frozen=True, kw_only=True):
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


class ResultsSection(Part, frozen=True, kw_only=True):
    """[results]: what may come home; everything else stays."""

    text_budget_bytes: Annotated[int, msgspec.Meta(ge=0)] = 1 << 20
    retention_years: Annotated[int, msgspec.Meta(ge=1)] = 10


class VoyageFile(Part, frozen=True, kw_only=True):
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
    return decode_toml(VoyageFile, payload, where, error=VoyageFileError, reference="docs/reference/voyage-toml.md")
