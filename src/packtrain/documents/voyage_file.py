"""voyage.toml: what the user wrote. Typed, with a clear message for every typo.

The `Attributes:` of these classes are what docs/reference/voyage-toml.md says of each field.
"""

from __future__ import annotations

from typing import Annotated, Final, Literal

import msgspec

from packtrain.documents.codec import EnvelopeRecipient, Label, Part, Text
from packtrain.documents.forecast_section import ForecastSection
from packtrain.documents.parties import PublicKeyLine, Role
from packtrain.documents.promised_section import PromisedSection
from packtrain.documents.recipe import RecipeSection
from packtrain.documents.toml_file import decode_toml
from packtrain.errors import VoyageFileError

PathText = Annotated[str, msgspec.Meta(min_length=1, max_length=4096, pattern=r"\A[^\x00]+\Z")]
_LARGEST: Final = 2**53 - 1
"""RFC 8785 writes no larger integer; a number of voyage.toml may end in a document."""


class VoyageSection(Part, frozen=True, kw_only=True):
    """[voyage]: its name, and whose folder this is.

    Attributes:
        name: what this voyage is called; the same in the folders of all three parties.
        role: whose folder this is. Each party has its own.
        contact: whom a finder of a drive should call; printed in the README of each drive, in the clear.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"\A[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}\Z")]
    role: Role = "consignor"
    contact: Text = ""


class SourcesSection(Part, frozen=True, kw_only=True):
    """[sources]: where the data lies at home.

    Attributes:
        paths: files and folders to read; folders are read with all that is below them.
        form: "files": a sample each, told apart by their endings, of which `prepare` makes shards. "folder": one
            folder, carried as it is with all that is below it. Ready shards are adopted, indexed where they lie and
            carried byte for byte: "webdataset" (tar files), "parquet" (a row group is a sample), or "croissant" (what
            the croissant.json of each folder names).
    """

    paths: tuple[PathText, ...]
    form: Literal["files", "folder", "webdataset", "parquet", "croissant"] = "files"


class SurviveSection(Part, frozen=True, kw_only=True):
    """[drives.survive]: what may be lost without losing data.

    Attributes:
        cases: whole cases, any of them.
        drives: drives of each group beyond those cases.
    """

    cases: Annotated[int, msgspec.Meta(ge=0, le=254)] = 1
    drives: Annotated[int, msgspec.Meta(ge=0, le=254)] = 0


class CaseSection(Part, frozen=True, kw_only=True):
    """[[drives.case]]: one case and the drives in it; a block for each case.

    Attributes:
        label: what is written on the case; its drives are labelled A1, A2 and so on by it.
        drives: mount points, or folders that play drives. Instead of them, `count` and `size` for drives that take
            their turn in the bays.
        count: how many drives the case holds.
        size: what each of them holds, as its maker says: "2 TB".
        carrier: who carries the case; `carry seal` needs it.
        seal: the number on the case's seal; `carry seal` needs it.
    """

    label: Label
    drives: tuple[PathText, ...] = ()
    count: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    size: Annotated[str, msgspec.Meta(min_length=1, max_length=32)] | None = None
    carrier: Text = ""
    seal: Text = ""


class DrivesSection(Part, frozen=True, kw_only=True):
    """[drives]: cases, bays, and what may be lost.

    Attributes:
        survive: see [drives.survive].
        bays: mount points, or folders that play them, in which the drives of cases with `count` take their turn.
        pack_bays: drives that can be mounted at once where they are written; no group is larger. Without it, the number
            of `bays`; without those, no bound.
        load_bays: the same where they are read.
        case: see [[drives.case]].
    """

    survive: SurviveSection = msgspec.field(default_factory=SurviveSection)
    bays: tuple[PathText, ...] = ()
    pack_bays: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    load_bays: Annotated[int, msgspec.Meta(ge=1, le=4096)] | None = None
    case: tuple[CaseSection, ...] = ()


class PartySection(Part, frozen=True, kw_only=True):
    """[parties.ROLE]: the public keys of one party, as its keys/party.toml spells them.

    Attributes:
        recipient: age recipient or SSH public key: what is to be read by this party is encrypted to it.
        signer: SSH public key, without a comment: this party signs with it.
        name: what people call the party; shown, never matched.
        reviewer: SSH public key of a second person of the party: signs beside the first where four eyes are asked for.
        former: SSH public keys that signed for the party before they were revoked; they count for what a revocation
            vouches for, and without one for nothing.
    """

    recipient: EnvelopeRecipient
    signer: PublicKeyLine
    name: Text = ""
    reviewer: PublicKeyLine | None = None
    former: Annotated[tuple[PublicKeyLine, ...], msgspec.Meta(max_length=8)] = ()


class PartiesSection(Part, frozen=True, kw_only=True):
    """[parties]: the other parties; the own keys are read from keys/. parties.json is made from it.

    Attributes:
        consignor: see [parties.ROLE].
        operator: see [parties.ROLE].
        consignee: see [parties.ROLE].
    """

    consignor: PartySection | None = None
    operator: PartySection | None = None
    consignee: PartySection | None = None


class KeysSection(Part, frozen=True, kw_only=True):
    """[keys]: this party's own secrets: where they lie, never what they are.

    Attributes:
        identity: file that opens what is sealed to this party: an age identity, or an OpenSSH private key (ed25519,
            without a passphrase) such as keys/signer. keys/party.toml then says the recipient that belongs to it.
        envelope: what the consignor's own copy of the shipment's key is sealed with: its recipient, or a passphrase.
        passphrase_file: file whose first line is the passphrase; without it and passphrase_env the terminal asks.
        passphrase_env: name of the environment variable that holds the passphrase.
    """

    identity: PathText = "keys/identity.txt"
    envelope: Literal["recipient", "passphrase"] = "recipient"
    passphrase_file: PathText | None = None
    passphrase_env: Text | None = None


class HostsSection(Part, frozen=True, kw_only=True):
    """[site.hosts]: on how many hosts the program runs, where the engine is not "local", and what holds between them.

    Attributes:
        least: the program is never run on fewer.
        most: and never on more; without it, on every host that is there.
        wait_seconds: so long a run waits for `least` hosts before it ends with a verdict.
        silent_seconds: a host that has not answered for so long is lost.
        folder: absolute path, the same on every host, of a folder of the host's own, for checkpoints, results and logs.
            Without it the voyage folder is seen by all hosts, at the same path.
        checkpoint_copies: on how many other hosts a checkpoint lies before it counts, where each host has a `folder` of
            its own.
    """

    least: Annotated[int, msgspec.Meta(ge=1, le=100_000)] = 1
    most: Annotated[int, msgspec.Meta(ge=1, le=100_000)] | None = None
    wait_seconds: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 300.0
    silent_seconds: Annotated[float, msgspec.Meta(ge=2, le=3600)] = 10.0
    folder: PathText | None = None
    checkpoint_copies: Annotated[int, msgspec.Meta(ge=0, le=8)] = 1


class SiteSection(Part, frozen=True, kw_only=True):
    """[site]: where the data goes at the far end, and on what machines the program runs.

    Attributes:
        store: folder that `load` fills, or s3://BUCKET/PREFIX of object storage. Access keys are never written here:
            they come from the environment or the profile of AWS's tools.
        store_staging: folder of this machine for what `load` has read and not yet sent to object storage; without it,
            work/staging.
        s3_endpoint: URL of the server of object storage; without it AWS's own settings count.
        s3_region: its region; without it AWS's own settings count.
        s3_plain_http: whether object storage may be reached over plain HTTP, where everybody between can read the data.
        engine: what starts and restarts the workers: "local" on this machine, "ray" or "slurm" on many hosts.
        ray_address: HOST:PORT of the head of the site's Ray cluster; without it RAY_ADDRESS counts.
        slurm_arguments: more options for `sbatch`, such as "--partition=long".
        hosts: see [site.hosts].
        promised: see [site.promised].
    """

    store: PathText = "store"
    store_staging: PathText | None = None
    s3_endpoint: Text = ""
    s3_region: Text = ""
    s3_plain_http: bool = False
    engine: Literal["local", "ray", "slurm"] = "local"
    ray_address: Text = ""
    slurm_arguments: tuple[Text, ...] = ()
    hosts: HostsSection = msgspec.field(default_factory=HostsSection)
    promised: PromisedSection | None = None


class TrainingSection(Part, frozen=True, kw_only=True):
    """[training]: the program and how it is started.

    Attributes:
        program: folder of the training program.
        command: script and arguments; {data}, {checkpoints}, {results} and {steps} are filled in. Where a kit came, its
            own, letter for letter.
        workers: training processes on each host.
        steps: what {steps} becomes.
        rehearsal_steps: what {steps} becomes in the rehearsal.
        rehearsal_hang: whether the rehearsal also stops rank 0 and waits until the watchdog ends it.
        site_samples_per_second: how fast the site trains, where you know it; the sheet then says how long it takes.
        lock: the uv.lock that the kit's wheels come from; without it, the one of the program's folder, if there is one.
        python: the site's Python, "3.12"; without it, the version that packtrain runs under.
        platform: the site's machine and the oldest glibc there, "x86_64-manylinux_2_28"; without it, this machine.
        extras: optional dependencies of the program that the kit carries.
        groups: dependency groups of the program that the kit carries.
        interpreter: .tar.gz or folder of an interpreter that travels in the kit; without it the site must have one.
        wheels: folder with a wheel of everything the program imports, for the site's Python and platform. Where there
            is a lock too, the folder must hold what the lock says.
        provided: packages that the site has already, as NAME==VERSION.
        max_restarts: how often a failed attempt is followed by another. The count begins anew after one that got
            further than all before it.
        stall_seconds: an attempt without a step for so long is ended and counts as failed.
    """

    program: PathText
    command: Text
    workers: Annotated[int, msgspec.Meta(ge=1, le=4096)] = 1
    steps: Annotated[int, msgspec.Meta(ge=1, le=_LARGEST)] = 100
    rehearsal_steps: Annotated[int, msgspec.Meta(ge=4, le=1_000_000)] = 12
    rehearsal_hang: bool = True
    site_samples_per_second: Annotated[float, msgspec.Meta(gt=0, le=1e12)] | None = None
    lock: PathText | None = None
    python: Annotated[str, msgspec.Meta(min_length=1, max_length=16)] | None = None
    platform: Annotated[str, msgspec.Meta(min_length=1, max_length=64)] | None = None
    extras: tuple[Text, ...] = ()
    groups: tuple[Text, ...] = ()
    interpreter: PathText | None = None
    wheels: PathText | None = None
    provided: tuple[Text, ...] = ()
    max_restarts: Annotated[int, msgspec.Meta(ge=0, le=10_000)] = 3
    stall_seconds: Annotated[float, msgspec.Meta(gt=0, le=1_000_000)] = 600.0


class ResultsSection(Part, frozen=True, kw_only=True):
    """[results]: what may come home; everything else stays.

    Attributes:
        text_budget_bytes: most bytes of text (metrics, logs) that may leave beside the declared tensors.
        retention_years: how long the record of the voyage is kept.
        compress: "auto" makes weights smaller without loss, where that saves more than 2 %; "none" seals them as they
            are.
        base: weights that site and home both have (a safetensors file, or a folder of them; an earlier return, or what
            went out with the data): new ones are sealed as their difference to these, where that is smaller.
    """

    text_budget_bytes: Annotated[int, msgspec.Meta(ge=0, le=_LARGEST)] = 1 << 20
    retention_years: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 10
    compress: Literal["auto", "none"] = "auto"
    base: Annotated[str, msgspec.Meta(min_length=1)] | None = None


class VoyageFile(Part, frozen=True, kw_only=True):
    """All of voyage.toml.

    Attributes:
        voyage: see [voyage].
        sources: see [sources]; the consignor's.
        prepare: see [prepare]; the consignor's.
        drives: see [drives]; the consignor's.
        parties: see [parties].
        keys: see [keys].
        site: see [site]; the consignee's.
        training: see [training]; the consignor's and the consignee's.
        results: see [results].
        forecast: see [forecast]; the consignor's.
    """

    voyage: VoyageSection
    sources: SourcesSection | None = None
    prepare: RecipeSection = msgspec.field(default_factory=RecipeSection)
    drives: DrivesSection = msgspec.field(default_factory=DrivesSection)
    parties: PartiesSection = msgspec.field(default_factory=PartiesSection)
    keys: KeysSection = msgspec.field(default_factory=KeysSection)
    site: SiteSection = msgspec.field(default_factory=SiteSection)
    training: TrainingSection | None = None
    results: ResultsSection = msgspec.field(default_factory=ResultsSection)
    forecast: ForecastSection = msgspec.field(default_factory=ForecastSection)


def decode_voyage_file(payload: bytes, where: str) -> VoyageFile:
    """Return what voyage.toml says.

    Raises:
        VoyageFileError: not TOML, an unknown field (with the nearest known one as a hint), or a value out of range.
    """
    return decode_toml(VoyageFile, payload, where, error=VoyageFileError, reference="docs/reference/voyage-toml.md")
