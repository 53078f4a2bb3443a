"""The verbs by which the kit changes after departure; each run as `StageRunner` has it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from packtrain.stage_runner import StageRunner, everyone

if TYPE_CHECKING:
    from packtrain.stages.update import Approve, Told


class KitVerbs(StageRunner):
    """One update: made at home, looked at and signed by the operator, brought into force by the consignee."""

    def make_update(self, out: Path, reason: str) -> Told:
        """Write the file of an update from the kit in force to the one that was rehearsed last."""
        from packtrain.stages import update

        with self._at_work("update make", "consignor"):
            return update.make(self.folder, out, reason, self._sink)

    def show_update(self, path: Path) -> Told:
        """Return what an update changes, and where it stands here."""
        from packtrain.stages import update

        self._refuse_others("update show", *everyone())
        self._settle_once()
        return update.show(self.folder, path)

    def countersign_update(self, path: Path, approve: Approve, *, exports_seen: bool = False) -> Told:
        """Sign an update as the site's operator."""
        from packtrain.stages import update

        with self._at_work("update countersign", "operator"):
            return update.countersign(self.folder, path, approve, exports_seen=exports_seen)

    def apply_update(self, path: Path) -> Told:
        """Bring a countersigned update into force at the consignee."""
        from packtrain.stages import update

        with self._at_work("update apply", "consignee"):
            return update.apply(self.folder, path, self._sink)
