"""Opening a shipment for reading: packed where drives are named (or at home), else the store that was loaded."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Final

from packtrain import durable
from packtrain.errors import StageNotReady, VoyageLocked
from packtrain.events import Sink, discard
from packtrain.files.entries import ShipmentFiles
from packtrain.files.packed import PackedFiles
from packtrain.files.stored import StoredFiles
from packtrain.stage_runner import NAMES_PREFIX, StageRunner
from packtrain.stages import load
from packtrain.volume.packed_tree import PackedTree

# Opening takes the folder's lock for a moment; the workers of one program do so side by side.
_PATIENCE_SECONDS: Final = 20.0
_PAUSE_SECONDS: Final = 0.1


class ShipmentOpener(StageRunner):
    """Opens the shipment of a voyage folder.

    Args:
        root: the consignee's folder, or the consignor's.
        sink: takes what is told about drives.
    """

    def __init__(self, root: Path, sink: Sink = discard) -> None:
        super().__init__(root, sink)

    def open(
        self, drives: Sequence[Path] = (), without: Collection[str] = (), *, partial: bool = False
    ) -> ShipmentFiles:
        """Return the files of the shipment.

        Args:
            drives: where drives are mounted, in any order. None named: at home those of voyage.toml that are mounted,
                at the site the store.
            without: labels or mount points of drives to leave out.
            partial: open it though no drive of a group is here, without the names in it.

        Raises:
            StageNotReady: nothing was loaded, or nothing was packed.
            VoyageLocked: another stage works in the folder.
            MoreDrivesWanted: no drive of a group is here.
            PacktrainError: see `stages.load.open_in_place`: nothing is read that may not be loaded.
        """
        if not drives and self.role == "consignee":
            return self._store()
        with self._patiently_at_work():
            opened = self._open_drives(drives or [path for path in self._own_drives() if path.is_dir()])
            fleet, identity = load.open_in_place(self.folder, opened, without)
            # Names lie in there in the clear for as long as a catalog is opened: what dies with it is swept.
            scratch = durable.private_folder(self.folder.work, NAMES_PREFIX)
        # A catalog may be of gigabytes: the workers of one program decrypt side by side.
        with scratch as place:
            tree = PackedTree(fleet, identity, place, partial=partial)
        try:
            with self._patiently_at_work():
                load.note_in_place(self.folder, fleet)
        except BaseException:
            tree.close()
            raise
        return PackedFiles(tree)

    @contextlib.contextmanager
    def _patiently_at_work(self) -> Iterator[None]:
        given_up_at = time.monotonic() + _PATIENCE_SECONDS
        with contextlib.ExitStack() as held:
            while True:
                try:
                    held.enter_context(self._at_work("files", "consignee", "consignor"))
                    break
                except VoyageLocked:
                    if time.monotonic() >= given_up_at:
                        raise
                    time.sleep(_PAUSE_SECONDS)
            yield

    def _store(self) -> ShipmentFiles:
        root = self.folder.store_folder()
        if self.folder.receipt(load.STAGE) is None or not root.is_dir():
            raise StageNotReady(
                "nothing is loaded here yet, and no drives are named",
                where=str(root),
                hint='run "packtrain load" first, or name the drives to read them where they are: drives=[...]',
            )
        return StoredFiles(root)
