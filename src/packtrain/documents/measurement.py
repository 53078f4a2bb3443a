"""measurement.json: what this machine, these drives and this store do in a second, as `measure` saw it. Not signed.

It is a forecast's ground and nothing else: no stage is invalidated by it, and no drive carries it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from packtrain.documents.codec import Count, Document, Instant, Part, Text

Seconds = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
PerSecond = Annotated[float, msgspec.Meta(ge=0, le=1e15)]
"""Bytes a second."""
Readback = Literal["direct", "dropped", "memory"]
"""How bytes were read back, as the record of `pack` says it: past the page cache, after dropping it, or from memory."""
Slowed = Literal["yes", "not seen", "not known"]
"""Whether the rate fell while writing. *not seen* holds for what was written and no byte more; *not known*: too few
parts were written to say."""


class Rate(Part, frozen=True, kw_only=True):
    """One rate and how it was measured.

    Attributes:
        bytes_per_second: over all of `seconds`.
        bytes: that were moved.
        seconds: of wall time.
        how: what was done, in words.
    """

    bytes_per_second: PerSecond
    bytes: Count
    seconds: Seconds
    how: Text


class Work(Part, frozen=True, kw_only=True):
    """What packing or loading costs here, from running the real code over a small set in a folder of its own.

    Two sets of different size were worked through: what does not grow with the bytes (starting processes, keys,
    signatures) is told apart as `fixed_seconds`.

    Attributes:
        cpu_seconds_per_gb: processor time of all processes for each 10**9 bytes of cargo.
        bytes_per_second: of cargo, by the wall clock, with all `cores` and no drive to wait for.
        fixed_seconds: wall time that does not grow with the bytes.
        bytes: of the larger set.
        seconds: wall time of the larger set.
        k, m: the code that was used.
        how: what was done, in words.
    """

    cpu_seconds_per_gb: Seconds
    bytes_per_second: PerSecond
    fixed_seconds: Seconds
    bytes: Count
    seconds: Seconds
    k: Annotated[int, msgspec.Meta(ge=1, le=255)]
    m: Annotated[int, msgspec.Meta(ge=0, le=254)]
    how: Text


class Machine(Part, frozen=True, kw_only=True):
    """This machine.

    Attributes:
        cores: that were used: those this process may run on, or fewer where fewer were asked for.
        processor: as the kernel names it, "" where it does not.
        system: kernel and its release.
        memory_bytes: of the machine, 0 where it is not known.
        sha256, xxh3, encrypt, encode: of one core; `encode` counts data bytes, at the code that `pack` names.
        pack, load: None where they were not measured; `note` says why.
    """

    cores: Annotated[int, msgspec.Meta(ge=1, le=65536)]
    processor: Text
    system: Text
    python: Text
    packtrain: Text
    memory_bytes: Count
    sha256: Rate | None
    xxh3: Rate | None
    encrypt: Rate | None
    encode: Rate | None
    pack: Work | None
    load: Work | None
    note: Text


class PartOfRun(Part, frozen=True, kw_only=True):
    """One file of those that were written one after the other.

    Attributes:
        at_bytes: where on the device it begins; None where the file system does not say.
    """

    at_bytes: Count | None
    bytes: Count
    write_bytes_per_second: PerSecond | None
    read_bytes_per_second: PerSecond | None


class MeasuredDrive(Part, frozen=True, kw_only=True):
    """One drive by itself.

    Attributes:
        name: its label in voyage.toml, or its path.
        path: mount point or folder.
        serial: of the device, None where there is none to read.
        file_system: its type; "" where the kernel does not tell.
        size_bytes, free_bytes: of the file system.
        is_written: False for a drive that was only read: it holds a closed shipment.
        write: with the time of syncing; None if it was not written.
        sync_seconds: the part of the writing that went into syncing.
        read: past the page cache, in the way that `readback` says; None if it could not be read.
        parts: in the order in which they were written, or read.
        slowed: whether the rate fell while it was written.
        is_short: less was written than fast caches of drives hold: a drive that crawls behind its cache was not seen.
        problem: why something is missing here, "" if nothing is.
    """

    name: Text
    path: Text
    serial: Annotated[str, msgspec.Meta(min_length=1, max_length=128)] | None
    file_system: Text
    size_bytes: Count
    free_bytes: Count
    is_written: bool
    write: Rate | None
    sync_seconds: Seconds
    read: Rate | None
    readback: Readback | None
    parts: Annotated[tuple[PartOfRun, ...], msgspec.Meta(max_length=4096)]
    slowed: Slowed
    is_short: bool
    problem: Text


class Together(Part, frozen=True, kw_only=True):
    """Drives written and read at the same time, as those of a wave are.

    Attributes:
        drives: their names; two or more.
        write, read: of all of them together.
        write_part, read_part: what they reached of the sum of each alone: 1 where they do not hinder each other.
        limit: what they share and wait for, in words; "" where they do not hinder each other.
    """

    drives: Annotated[tuple[Text, ...], msgspec.Meta(min_length=2, max_length=4096)]
    write: Rate | None
    read: Rate | None
    write_part: Annotated[float, msgspec.Meta(ge=0, le=1e6)] | None
    read_part: Annotated[float, msgspec.Meta(ge=0, le=1e6)] | None
    limit: Text


class MeasuredFolder(Part, frozen=True, kw_only=True):
    """A source or a store.

    Attributes:
        write: None for a source: nothing is ever written there.
        readback: how what was read was kept from coming out of memory; None if nothing was read.
        problem: why something is missing here, "" if nothing is.
    """

    path: Text
    file_system: Text
    free_bytes: Count
    write: Rate | None
    read: Rate | None
    readback: Readback | None
    problem: Text


class Measurement(Document, frozen=True, kw_only=True):
    """What one run of `measure` saw.

    Attributes:
        made: when it ended.
        seconds: what it took.
        drives: each by itself; may be none.
        together: all those that could be written (or all, if all are only read), side by side; None of fewer than two.
        source, store: None where none was named or known.
    """

    kind = "measurement"

    made: Instant
    seconds: Seconds
    machine: Machine
    drives: Annotated[tuple[MeasuredDrive, ...], msgspec.Meta(max_length=4096)]
    together: Together | None
    source: MeasuredFolder | None
    store: MeasuredFolder | None

    def write_rate_in_wave(self) -> float | None:
        """Return bytes a second of one drive while all of its wave are written; None if no drive was written."""
        shared = self.together.write if self.together is not None else None
        if shared is not None and self.together is not None:
            return shared.bytes_per_second / len(self.together.drives)
        return min((one.write.bytes_per_second for one in self.drives if one.write is not None), default=None)

    def read_rate_in_wave(self) -> float | None:
        """Return bytes a second of one drive while all of its wave are read; None if no drive was read."""
        shared = self.together.read if self.together is not None else None
        if shared is not None and self.together is not None:
            return shared.bytes_per_second / len(self.together.drives)
        return min((one.read.bytes_per_second for one in self.drives if one.read is not None), default=None)
