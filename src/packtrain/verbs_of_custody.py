"""The verbs of custody: seal, hand over, observe, prove; each run as `StageRunner` has it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from packtrain.documents.parties import Role
from packtrain.documents.receipt import Receipt
from packtrain.stage_runner import StageRunner, everyone

if TYPE_CHECKING:
    from packtrain.diligence.custody_check import TimeBracket
    from packtrain.diligence.revoking import Vouched
    from packtrain.record.trust import SignedHead
    from packtrain.stages.carry import Observation
    from packtrain.stages.custody import CheckedLog


class CustodyVerbs(StageRunner):
    """Who holds what, and what two parties signed of it."""

    def seal(self) -> Receipt:
        """State which drive lies in which case with whom; write packing-statement.json."""
        from packtrain.stages import carry

        with self._at_work("carry seal", "consignor"):
            return self._run("seal", carry.inputs(self.folder), lambda: carry.seal(self.folder, self._sink))

    def release(
        self, cases: Sequence[str], to: Role, note: str, destination: Path | None, *, as_code: bool = False
    ) -> str | None:
        """Sign cases over to another party; write the hand-over file, return the code that stands for it if asked."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            carry.offer(self.folder, cases, to, self._sink, note=note)
            return self._handed(destination, as_code=as_code)

    def accept(
        self,
        hand_over: Path | None,
        note: str,
        destination: Path | None,
        *,
        code: str | None = None,
        as_code: bool = False,
    ) -> str | None:
        """Sign for cases that another party released, by file or code; write the answer, return its code if asked."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            if code is not None:
                carry.take_code(self.folder, code, self._sink, note=note)
            else:
                assert hand_over is not None
                carry.take(self.folder, hand_over, self._sink, note=note)
            return self._handed(destination, as_code=as_code)

    def _handed(self, destination: Path | None, *, as_code: bool) -> str | None:
        from packtrain.diligence.heads import write_own_log
        from packtrain.stages import carry

        if destination is not None:
            write_own_log(self.folder, destination)
        return carry.own_code(self.folder) if as_code else None

    def adopt(self, answer: Path, destination: Path | None = None) -> None:
        """Take the other party's signed acceptance into the own log, and sign its head."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            carry.adopt(self.folder, answer, self._sink, destination=destination)

    def adopt_code(self, code: str) -> str | None:
        """Take an acceptance that came as a code; return the code of this party's signature over the head."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            return carry.adopt_code(self.folder, code, self._sink)

    def observe(self, observation: Observation, cases: Sequence[str], drives: Sequence[str], note: str) -> None:
        """Sign into the custody log what was seen or lost; drives by label or UUID."""
        from packtrain.stages import carry

        with self._at_work("carry", *everyone()):
            carry.observe(self.folder, observation, self._sink, cases=cases, drives=drives, note=note)

    def custody(self) -> list[str]:
        """Return the story of the custody log in plain sentences, signatures and chain checked."""
        from packtrain.stages import custody

        self._settle_once()
        return custody.show(self.folder)

    def check_custody(self, log: Path | None) -> CheckedLog:
        """Hold a custody log against every signed head that is known."""
        from packtrain.stages import custody

        self._settle_once()
        return custody.check(self.folder, log)

    def make_head(self, destination: Path) -> SignedHead:
        """Sign a head over the custody log as it is now; write it for the other side."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.make_head(self.folder, self._sink, destination=destination)

    def cosign(self, head: Path | None, code: str | None) -> SignedHead:
        """Sign another party's head, or take in a second signature over an own one, from a file or a code."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            if code is not None:
                return custody.cosign_code(self.folder, code, self._sink)
            assert head is not None
            return custody.cosign(self.folder, head, self._sink)

    def request_stamp(self, destination: Path) -> SignedHead:
        """Write a request for a time stamp over the head of the custody log as it is now."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.request_stamp(self.folder, self._sink, destination=destination)

    def take_stamp(self, token: Path, root: Path) -> TimeBracket:
        """Check a time stamp over a head, under the certificate of an authority, and keep it."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.take_stamp(self.folder, token, root, self._sink)

    def revoke(
        self, because: str, key: Path | None, lost_on: str | None, last_entry: int | None, leave_out: Sequence[str]
    ) -> Vouched:
        """Revoke this party's signing key for good, and vouch for what it signed before."""
        from packtrain.stages import custody

        with self._at_work("custody", *everyone()):
            return custody.revoke(
                self.folder,
                because,
                self._sink,
                key=key,
                lost_on=lost_on,
                last_entry=last_entry,
                leave_out=leave_out,
            )
