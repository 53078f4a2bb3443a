"""A wave with a scratch folder: what passes is restored and added up, and what never came is solved from the sums.

For stripes that the mounted drives alone cannot finish. Every drive is read once here too; only a damaged volume is
read a second time, to keep its good blocks.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from packtrain import durable
from packtrain.digest import BLOCK_BYTES
from packtrain.documents.group import Volume
from packtrain.volume.blocks import ALTERED, Column
from packtrain.volume.group_pass import GroupPass
from packtrain.volume.load_journal import DamagedLine, damage_lines
from packtrain.volume.syndromes import Scratch, Syndromes, Update
from packtrain.volume.unpack import Unpacking
from packtrain.volume.wanted import Knowledge


@dataclass(slots=True)
class ScratchPass:
    """Reads the stripes of one group that need more than is mounted.

    Args:
        group_pass: the group, and how its volumes are unpacked and published.
        scratch: its scratch folder.
    """

    group_pass: GroupPass
    scratch: Scratch

    def left_to_scratch(self, knowledge: Knowledge) -> frozenset[int]:
        """Return the stripes that these drives cannot finish, or that have something in scratch already."""
        drives = self.group_pass.drives
        return frozenset(
            stripe
            for stripe in range(knowledge.group.num_stripes)
            if (volumes := knowledge.open_in(stripe))
            and (
                self.scratch.has(stripe)
                or any(v.drive not in drives and not knowledge.can_be_rebuilt(v, drives) for v in volumes)
            )
        )

    def run(self, knowledge: Knowledge) -> None:
        """Take what these drives give to the stripes that are open, and solve what can be solved now.

        Args:
            knowledge: what is known after all other stripes were read.

        Raises:
            DriveFull, DriveFailed: the store or the scratch folder cannot take it.
            HostileArchive, IntegrityError: see `Publisher.publish`.
        """
        for stripe in range(knowledge.group.num_stripes):
            wanted = knowledge.open_in(stripe)
            if not wanted:
                if self.scratch.has(stripe):
                    self.scratch.remove(stripe)
                continue
            syndromes = self.scratch.stripe(stripe)
            rest = self._pass(knowledge, syndromes, wanted, excluded=frozenset())
            if rest and syndromes.can_solve(rest):
                self._solve(syndromes, rest)
        self.group_pass.publish()

    def _pass(
        self, knowledge: Knowledge, syndromes: Syndromes, wanted: Sequence[Volume], excluded: frozenset[int]
    ) -> list[Volume]:
        """Read what is mounted of a stripe once; return the wanted volumes that are not restored by that."""
        group_pass, drives = self.group_pass, self.group_pass.drives
        volumes = knowledge.stripe(wanted[0].stripe)
        here = [v for v in volumes if v.bytes and v.drive in drives and v.column not in excluded]
        passing = {v.column for v in here if v.column not in syndromes.counted}
        asked = {v.column for v in wanted if v in here}
        if not passing and not asked:
            return list(wanted)
        columns = {v.column: group_pass.column(v) for v in here if v.column in passing or v.column in asked}
        unpackings = {index: Unpacking(volumes[index], group_pass.work(volumes[index])) for index in sorted(asked)}
        liars: set[int] = set()
        try:
            with syndromes.update() as update:
                proven = self._read(syndromes, update, columns, passing, unpackings)
                liars = {
                    index
                    for index, column in columns.items()
                    if index in passing and column.lost is None and not column.bad_blocks and not proven[index]
                }
                if liars:
                    raise _Liars
                for index in asked & passing:
                    if not proven[index] and columns[index].lost is None:
                        self._keep_good_blocks(volumes[index], columns[index])
                update.counted.update(
                    (index, columns[index].bad_blocks) for index in passing if columns[index].lost is None
                )
        except _Liars:
            for index in unpackings:
                shutil.rmtree(group_pass.folder(volumes[index]))
            for index in liars:
                columns[index].distrust(ALTERED)
            self._note(columns, volumes, liars)
            return self._pass(knowledge, syndromes, wanted, excluded | liars)
        finally:
            for column in columns.values():
                column.close()
        self._note(columns, volumes, {index for index in columns if not proven[index]})
        rest = [volume for volume in wanted if volume.column not in asked]
        for index, unpacking in unpackings.items():
            if unpacking.is_whole:
                group_pass.take(volumes[index], unpacking.fault, ())
            else:
                shutil.rmtree(group_pass.folder(volumes[index]))
                rest.append(volumes[index])
        return rest

    def _read(
        self,
        syndromes: Syndromes,
        update: Update,
        columns: Mapping[int, Column],
        passing: set[int],
        unpackings: Mapping[int, Unpacking],
    ) -> dict[int, bool]:
        """Read columns row by row into sums and unpackings; return which of them have the SHA-256 of group.json."""
        group_pass = self.group_pass
        code = group_pass.opened.code
        buffers = {index: _buffer(syndromes) for index in columns}
        sums = [_buffer(syndromes) for _ in range(code.m)]
        states = {index: hashlib.sha256() for index in columns if index not in unpackings}
        for index in unpackings:
            group_pass.make_folder(columns[index].volume)
        with group_pass.feeding(unpackings.values()):
            for row in range(syndromes.num_rows):
                reaching = [index for index, column in columns.items() if row < column.num_blocks]
                read = [group_pass.readers.submit(columns[index].read_block, row, buffers[index]) for index in reaching]
                good = {index: future.result() for index, future in zip(reaching, read, strict=True)}
                update.read(row, sums)
                for index in reaching:
                    block = buffers[index][: columns[index].block_bytes(row)]
                    if index in unpackings and not unpackings[index].is_given_up:
                        if good[index]:
                            unpackings[index].put(bytes(block))
                            group_pass.told(len(block))
                        else:
                            unpackings[index].give_up()
                    if index in states and good[index]:
                        states[index].update(block)
                    if index in passing and good[index]:
                        code.accumulate(index, block, sums)
                update.write(row, sums)
        proven = {index: unpacking.is_whole for index, unpacking in unpackings.items()}
        for index, state in states.items():
            proven[index] = not columns[index].bad_blocks and state.hexdigest() == columns[index].volume.sha256
        return proven

    def _keep_good_blocks(self, volume: Volume, column: Column) -> None:
        """Write what is good of a damaged volume to scratch: it is in the sums, and cannot be had back from there."""
        buffer = memoryview(bytearray(BLOCK_BYTES))
        with durable.atomic_writer(self.scratch.partial(volume), mode=0o600) as stream:
            for row in range(column.num_blocks):
                block = buffer[: column.block_bytes(row)]
                if row in column.bad_blocks or not column.read_block(row, buffer):
                    block = memoryview(bytes(len(block)))
                stream.write(block)

    def _note(self, columns: Mapping[int, Column], volumes: Sequence[Volume], indices: set[int]) -> None:
        found = {index: columns[index].damage() for index in sorted(indices)}
        self.group_pass.journal.add(
            [DamagedLine(*self.group_pass.key(volumes[i]), damage_lines(items)) for i, items in found.items() if items]
        )
        self.group_pass.found([item for items in found.values() for item in items])

    def _solve(self, syndromes: Syndromes, rest: Sequence[Volume]) -> None:
        """Restore volumes of a stripe from its sums and from what is kept of damaged ones."""
        group_pass, code = self.group_pass, self.group_pass.opened.code
        unpackings = {volume.column: Unpacking(volume, group_pass.work(volume)) for volume in rest}
        sums = [_buffer(syndromes) for _ in range(code.m)]
        solved = [_buffer(syndromes) for _ in range(code.k)]
        for volume in rest:
            group_pass.make_folder(volume)
        last = max(-(-volume.bytes // BLOCK_BYTES) for volume in rest)
        with syndromes.reading() as stream, group_pass.feeding(unpackings.values()):
            for row in range(last):
                length = syndromes.row_bytes(row)
                syndromes.read_row(stream, row, sums)
                unknown, known = syndromes.unknown(row), syndromes.known(row)
                code.solve(
                    unknown,
                    {index: sums[index - code.k][:length] for index in known},
                    [solved[index][:length] for index in unknown],
                )
                for volume in rest:
                    count = min(max(volume.bytes - row * BLOCK_BYTES, 0), BLOCK_BYTES)
                    if not count:
                        continue
                    if volume.column in unknown:
                        block = bytes(solved[volume.column][:count])
                    else:
                        block = self._kept(volume, row, count)
                    unpackings[volume.column].put(block)
                    group_pass.told(len(block))
        is_good = all(unpacking.is_whole for unpacking in unpackings.values())
        for volume in rest:
            if unpackings[volume.column].is_whole:
                group_pass.take(volume, unpackings[volume.column].fault, (), is_rebuilt=True)
            else:
                shutil.rmtree(group_pass.folder(volume))
        if not is_good:
            # The sums hold a column that no SHA-256 vouched for, or the scratch medium lies: begin this stripe anew.
            group_pass.publish()
            self.scratch.remove(rest[0].stripe)

    def _kept(self, volume: Volume, row: int, count: int) -> bytes:
        try:
            with self.scratch.partial(volume).open("rb") as stream:
                stream.seek(row * BLOCK_BYTES)
                return stream.read(count)
        except FileNotFoundError:
            return b""  # too short: the volume's SHA-256 will not fit


class _Liars(Exception):
    """The way out of an update with a column whose blocks are all good and whose SHA-256 is not."""


def _buffer(syndromes: Syndromes) -> memoryview:
    return memoryview(bytearray(syndromes.row_bytes(0)))
