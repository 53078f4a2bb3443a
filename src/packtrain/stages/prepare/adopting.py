"""Where the sources are ready shards: what replaces walking, slicing and writing. The rest of the run is the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final

from packtrain.dataset.adopt.layout import AdoptedLayout
from packtrain.dataset.adopt.names import pattern_of
from packtrain.dataset.adopt.survey import AdoptedForm, ShardSurvey, survey_shards
from packtrain.dataset.kinds.registry import KINDS
from packtrain.dataset.sources import Sources
from packtrain.documents.dataset import DataFile, Dataset, Shard
from packtrain.documents.recipe import RecipeSection
from packtrain.errors import VoyageFileError
from packtrain.events import Notice, Progress
from packtrain.record.adopted import place_of, write_places
from packtrain.record.folder import VoyageFolder
from packtrain.stages.prepare.ground import MINIATURE, STAGE, Given, Places
from packtrain.stages.prepare.reading import Read, receipts
from packtrain.units import counted, format_bytes

if TYPE_CHECKING:
    from packtrain.dataset.selection import Selection

FORMS: Final[tuple[AdoptedForm, ...]] = ("webdataset", "parquet", "croissant")
_REMAKING: Final = (*KINDS["image"].recipe_fields, *KINDS["clip"].recipe_fields)
_OF_WHOLE_GROUPS: Final = "distinct_row_fraction"
_TELL_EVERY: Final = 10_000  # samples


def form_adopted(folder: VoyageFolder) -> AdoptedForm | None:
    """Return the form of ready shards that voyage.toml names, or None where shards are made."""
    sources = folder.voyage_file().sources
    return next((form for form in FORMS if sources is not None and sources.form == form), None)


def check_adoption(recipe: RecipeSection, form: AdoptedForm, where: str) -> None:
    """Refuse what a recipe asks of shards that are not written again.

    Raises:
        VoyageFileError: to make samples anew, to split by shares, or to judge what `adopt_check` leaves undecoded.
    """
    for name in _REMAKING:
        if getattr(recipe, name) not in (None, False):
            raise VoyageFileError(
                f"{name} makes samples anew, and adopted shards stay as they are",
                where=f"{where}, [prepare]",
                hint=f"take {name} out, or unpack the shards and prepare them as files",
            )
    if recipe.splits.validation or recipe.splits.test:
        raise VoyageFileError(
            "adopted shards are on the side that their names say",
            where=f"{where}, [prepare.splits]",
            expected="no shares",
            hint="name shards or their folders train, validation and test",
        )
    if any(rule.measure == _OF_WHOLE_GROUPS for rule in recipe.filter) or recipe.near_duplicates.table == "minhash":
        raise VoyageFileError(
            "row groups of adopted Parquet files are read piece by piece, and never held as a whole",
            where=f"{where}, [prepare]",
            expected=f'no filter by {_OF_WHOLE_GROUPS}, and no near_duplicates table = "minhash"',
        )
    near = recipe.near_duplicates
    looks = bool(recipe.filter) or near.drop or any(each not in (None, "off") for each in (near.image, near.clip))
    if recipe.adopt_check == "digest" and looks and form != "parquet":
        raise VoyageFileError(
            'adopt_check = "digest" decodes nothing, so nothing is measured or compared',
            where=f"{where}, [prepare]",
            hint='take filters and near-duplicates out, or say adopt_check = "decode"',
        )


def survey_of(sources: Sources, form: AdoptedForm, places: Places) -> ShardSurvey:
    """Walk the sources; see `survey_shards`."""
    return survey_shards(sources, form, ShardSurvey(places.work))


def write_index(
    given: Given, read: Read, rows: Iterable[Mapping[str, Any]], total: int
) -> tuple[AdoptedLayout, list[Shard], DataFile]:
    """Write the index of adopted shards, and where these lie; return their layout, their documents, and the index.

    Raises:
        IntegrityError: two shards would have one name.
        DriveFull: no space is left.
    """
    from packtrain.dataset.index import INDEX, INDEX_SCHEMA
    from packtrain.dataset.rows import row_writer

    layout = AdoptedLayout()
    records = {record.name: record for receipt in receipts(given, read.units) for record in receipt.sources}
    assert isinstance(given.seen, ShardSurvey)
    for shard in given.seen.shards():
        record = records[shard.name]
        if record.num_samples:
            layout.add(shard.name, shard.size_bytes, record.sha256, shard.mtime_ns, shard.split)
    places = given.places
    with row_writer(places.dataset / INDEX, INDEX_SCHEMA) as index:
        for number, row in enumerate(layout.index_rows(rows, given.recipe_digest), 1):
            index.add(row)
            if number % _TELL_EVERY == 0 or number == total:
                given.sink(Progress(STAGE, "writing the index", done_items=number, total_items=total, unit="samples"))
    used = layout.used()
    write_places(
        places.folder,
        (place_of(each.name, given.sources.path_of(each.source), each.bytes, each.mtime_ns) for each in used),
    )
    return layout, [each.document() for each in used], places.data_file(INDEX)


def write_miniature(given: Given, layout: AdoptedLayout, selection: Selection) -> tuple[list[Shard], DataFile]:
    """Write the stratified subset as small shards; return them and their index. For errors see `write_small_shards`."""
    from packtrain.dataset.adopt.miniature import fits, write_small_shards
    from packtrain.dataset.index import INDEX, INDEX_SCHEMA
    from packtrain.dataset.miniature import choose, shares
    from packtrain.dataset.rows import row_writer

    # The side of an adopted sample is that of its shard; to the global step they are all of one.
    rows = ({**row, "split": layout.of(row["source"]).split} for row in selection.kept() if fits(row))
    chosen = choose(rows, shares(layout.num_of_side(), given.recipe.miniature_samples), given.recipe.seed)
    dataset = given.places.dataset
    small: list[Shard] = []
    with row_writer(dataset / MINIATURE / INDEX, INDEX_SCHEMA) as index:
        for shard, rows in write_small_shards(chosen, layout, given.sources, dataset, MINIATURE, given.recipe_digest):
            small.append(shard)
            for row in rows:
                index.add(row)
    return small, given.places.data_file(MINIATURE + INDEX)


def patterns(shards: Iterable[Shard]) -> dict[str, dict[str, list[str]]]:
    """Return for the cards, by kind and split, the patterns that find the shards."""
    listed = list(shards)
    sides: dict[str, set[str]] = {}
    for shard in listed:
        sides.setdefault(shard.name.rpartition("/")[0], set()).add(shard.split)
    found: dict[str, dict[str, dict[str, None]]] = {}
    for shard in listed:
        pattern = pattern_of(shard.name)
        # A pattern of all that is in a folder would find the shards of another side too.
        if "/*." in pattern and len(sides[shard.name.rpartition("/")[0]]) > 1:
            pattern = shard.name
        found.setdefault(shard.kind, {}).setdefault(shard.split, {})[pattern] = None
    return {kind: {split: list(names) for split, names in splits.items()} for kind, splits in found.items()}


def tell_adopted(given: Given, document: Dataset) -> None:
    """Say how much was adopted, and that what is left out of the index is still in the shards."""
    num_bytes = sum(shard.bytes for shard in document.shards)
    given.sink(
        Notice(
            STAGE,
            f"adopted where they lie: {counted(len(document.shards), 'shard')}, {format_bytes(num_bytes)}, no copy",
        )
    )
    left_out = sum(
        each.num_rejects + each.num_filtered + each.num_duplicates + each.num_near_duplicates + each.num_withdrawn
        for each in document.counts
    )
    if left_out:
        given.sink(
            Notice(
                STAGE,
                "what was set aside or dropped is left out of the index, and its bytes stay in the adopted shards: a "
                "program that goes by the index never meets them, one that reads the tar files itself does",
                is_warning=True,
            )
        )
