"""The verbs about the kit, and by which it changes after departure; each run as `StageRunner` has it."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packtrain.documents.kit import Kit
from packtrain.stage_runner import StageRunner, everyone

if TYPE_CHECKING:
    from packtrain.stages.rehearse import KitOptions
    from packtrain.stages.update import Approve, Told


class KitVerbs(StageRunner):
    """The kit, built and looked at; its updates: made at home, signed by the operator, put into force at the site."""

    def build_kit(self, options: KitOptions) -> dict[str, Any]:
        """Build and sign the kit without rehearsing it; return what is in it."""
        from packtrain.stages import rehearse
        from packtrain.training.kit_contents import kit_contents

        with self._at_work("kit", "consignor"):
            kit = rehearse.build(self.folder, rehearse.section_of(self.folder), self._sink, options)
        return kit_contents(self.folder.work / "kit", kit)

    def kit_contents(self) -> dict[str, Any]:
        """Return what is in the kit: at home as it was built, elsewhere as it was loaded."""
        from packtrain.training.kit_contents import kit_contents

        return kit_contents(self.folder.work / "kit", self.folder.read_signed(Kit))

    def write_kit_image(self, base: Path, destination: Path) -> dict[str, Any]:
        """Write the kit as a layer on a base image, an OCI archive; return what was written."""
        from packtrain.training.kit_held import verify_kit
        from packtrain.training.oci_image import PLACE, write_image
        from packtrain.training.target import Target

        kit, place = self.folder.read_signed(Kit), self.folder.work / "kit"
        verify_kit(place, kit)
        machine = Target(kit.target_python, kit.target_platform).machine
        image = write_image(place, kit, base, destination, machine)
        return {"image": str(destination), "place": f"/{PLACE}", **dataclasses.asdict(image)}

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
