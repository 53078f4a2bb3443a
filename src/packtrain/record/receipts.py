"""Is a stage done for these inputs? And the receipt that makes it so."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Final

from packtrain import __version__
from packtrain.digest import sha256_bytes
from packtrain.documents.codec import Document
from packtrain.documents.dataset import Dataset
from packtrain.documents.receipt import Receipt
from packtrain.record.folder import VoyageFolder

_INSTANT: Final = "%Y-%m-%dT%H:%M:%SZ"


def instant() -> str:
    """Return the present UTC time to the second, as documents spell it."""
    return datetime.now(UTC).strftime(_INSTANT)


def moment(text: str) -> datetime:
    """Return an instant as documents spell it; ValueError: it is none."""
    return datetime.strptime(text, _INSTANT).replace(tzinfo=UTC)


def is_fresh(folder: VoyageFolder, stage: str, inputs: Mapping[str, str]) -> bool:
    """Return whether the stage's receipt names exactly these inputs and its documents are still as it wrote them."""
    receipt = folder.receipt(stage)
    if receipt is None or dict(receipt.inputs) != dict(inputs):
        return False
    for name, expected in receipt.outputs.items():
        path = folder.documents / name
        if not path.is_file() or sha256_bytes(path.read_bytes()) != expected:
            return False
    return True


def is_packed_otherwise(folder: VoyageFolder) -> bool:
    """Return whether another data set was packed than the one that is here now."""
    packed = folder.receipt("pack")
    return packed is not None and folder.has(Dataset) and packed.inputs.get("dataset") != folder.digest(Dataset)


class StageClock:
    """Times a stage and makes its receipt.

    Args:
        folder: the voyage folder.
        stage: the verb.
        inputs: name -> SHA-256 of all that invalidates it.
    """

    def __init__(self, folder: VoyageFolder, stage: str, inputs: Mapping[str, str]) -> None:
        self._folder = folder
        self._stage = stage
        self._inputs = dict(inputs)
        self._started = time.monotonic()

    def finish(
        self,
        *,
        outputs: tuple[type[Document], ...] = (),
        counts: Mapping[str, int] | None = None,
        facts: Mapping[str, str] | None = None,
        versions: Mapping[str, str] | None = None,
        keeps: bool = False,
    ) -> Receipt:
        """Write the receipt durably and return it.

        Args:
            outputs: types of the documents that the stage wrote.
            counts, facts: what it did.
            versions: of programs that had a part in it, beside packtrain.
            keeps: a run that found everything done already leaves the receipt of the run that did it.
        """
        receipt = Receipt(
            stage=self._stage,
            inputs=self._inputs,
            outputs=dict(self._outputs(outputs)),
            counts=dict(counts or {}),
            facts=dict(facts or {}),
            seconds=round(time.monotonic() - self._started, 3),
            finished=instant(),
            versions={"packtrain": __version__, **(versions or {})},
        )
        before = self._folder.receipt(self._stage) if keeps else None
        if before is not None and _says_the_same(before, receipt):
            return before
        self._folder.write_receipt(receipt)
        return receipt

    def _outputs(self, outputs: tuple[type[Document], ...]) -> Iterator[tuple[str, str]]:
        """Yield name and SHA-256 of each document, and of its signature where it has one: both must stay."""
        for kind in outputs:
            yield self._folder.document_path(kind).name, self._folder.digest(kind)
            signature = self._folder.signature_path(kind)
            if signature.is_file():
                yield signature.name, sha256_bytes(signature.read_bytes())


def _says_the_same(before: Receipt, now: Receipt) -> bool:
    return all(getattr(before, name) == getattr(now, name) for name in ("inputs", "outputs", "counts", "facts"))
