"""The recipe's identity: of all of it, and of the part that touches one kind. And what of it cannot be."""

from __future__ import annotations

from typing import Final

import msgspec
import rfc8785

from packtrain.dataset.kinds.registry import KINDS, near_method
from packtrain.digest import sha256_bytes
from packtrain.documents.dataset import Kind
from packtrain.documents.recipe import RecipeSection
from packtrain.errors import VoyageFileError

RECIPE_VERSION: Final = 2
"""Counted up when the same recipe would give other samples whatever their kind: every unit is then read again."""

_WHERE: Final = ("engine", "ray_address", "slurm_arguments")
"""Where units of work are run: no byte of the data set depends on it, so nothing runs again for it."""
_NOT_OF_SAMPLES: Final = ("scan_also_with", *_WHERE)


def recipe_digest(recipe: RecipeSection) -> str:
    """Return the SHA-256 of the recipe: of all that decides what the samples are, so not of who scans them."""
    fields = {name: value for name, value in msgspec.to_builtins(recipe).items() if name not in _NOT_OF_SAMPLES}
    versions = {kind: spec.version for kind, spec in KINDS.items()}
    return _digest({"recipe_version": RECIPE_VERSION, "kinds": versions, "recipe": fields})


def told_on_the_card(recipe: RecipeSection) -> dict[str, object]:
    """Return the fields of the recipe that the card shows: all but where it was run."""
    return {name: value for name, value in msgspec.to_builtins(recipe).items() if name not in _WHERE}


def recipe_digest_of_kind(recipe: RecipeSection, kind: Kind) -> str:
    """Return the SHA-256 of what touches the reading of one kind.

    Another crop size leaves the units of tables as they are; another filter, split or distance leaves all units alone:
    those are settled after reading.
    """
    spec = KINDS[kind]
    fields = {name: getattr(recipe, name) for name in spec.recipe_fields}
    return _digest(
        {
            "recipe_version": RECIPE_VERSION,
            "kind": kind,
            "version": spec.version,
            "recipe": fields,
            "near": near_method(recipe, kind),
        }
    )


def check_recipe(recipe: RecipeSection, where: str) -> None:
    """Refuse what is well written and cannot be meant.

    Raises:
        VoyageFileError: a filter asks for a measure that its kind has not, or has no limit or an empty range; or the
            splits leave nothing to train on, or group by a pattern that is none; or fields for images or clips
            contradict each other.
    """
    _check_media(recipe, where)
    for number, rule in enumerate(recipe.filter, start=1):
        place = f"{where}, [[prepare.filter]] number {number}"
        known = KINDS[rule.kind].measures
        if rule.measure not in known:
            raise VoyageFileError(
                f"samples of kind {rule.kind} have no such measure",
                where=place,
                expected=", ".join(known) or "no measure at all",
                found=rule.measure,
                hint="packtrain prepare --measures says what each of them means",
            )
        if rule.min is None and rule.max is None:
            raise VoyageFileError("filter has neither min nor max", where=place, hint="give it one of them, or both")
        if rule.min is not None and rule.max is not None and rule.min > rule.max:
            raise VoyageFileError(
                "filter would drop everything", where=place, expected="min below max", found=f"{rule.min} to {rule.max}"
            )
    if recipe.splits.group_by is not None and recipe.splits.group_pattern is not None:
        raise VoyageFileError(
            "groups are named twice",
            where=f"{where}, [prepare.splits]",
            expected="group_by or group_pattern",
            found="both",
        )
    if recipe.splits.validation + recipe.splits.test >= 1:
        raise VoyageFileError(
            "splits leave nothing to train on",
            where=f"{where}, [prepare.splits]",
            expected="validation and test below 1 together",
            found=f"{recipe.splits.validation + recipe.splits.test:g}",
        )
    if recipe.splits.group_pattern is not None:
        _check_pattern(recipe.splits.group_pattern, f"{where}, [prepare.splits]")


def _check_pattern(pattern: str, where: str) -> None:
    import duckdb

    with duckdb.connect(":memory:") as connection:
        try:
            # A list of names asks for as many brackets.
            connection.execute("SELECT regexp_extract('', $pattern, ['group'])", {"pattern": pattern})
        except duckdb.Error as error:
            wrong = " ".join(str(error).split()).removeprefix("Binder Error: ")
            raise VoyageFileError(
                "group_pattern names no group",
                where=where,
                expected="a regular expression (RE2) with a bracket around what names the group",
                found=f"{pattern}: {'no bracket that holds a group' if 'capturing groups' in wrong else wrong}",
                hint='such as group_pattern = "patient-([0-9]+)"',
            ) from error


def _check_media(recipe: RecipeSection, where: str) -> None:
    crop, longer = recipe.image_crop_pixels, recipe.image_resize_pixels
    if crop is not None and longer is not None and crop > longer:
        raise VoyageFileError(
            "no crop would fit into the scaled images",
            where=f"{where}, [prepare]",
            expected=f"image_crop_pixels of at most image_resize_pixels = {longer}",
            found=str(crop),
        )
    if recipe.image_quality is not None and recipe.image_encode not in ("jpeg", "webp"):
        raise VoyageFileError(
            "image_quality is for images that are encoded with loss",
            where=f"{where}, [prepare]",
            expected='image_encode = "jpeg" or "webp" beside it',
            found=f'image_encode = "{recipe.image_encode}"' if recipe.image_encode else "no image_encode",
        )
    if recipe.clip_frames is None and (recipe.clip_keep_until_damage or recipe.clip_size_pixels is not None):
        name = "clip_keep_until_damage" if recipe.clip_keep_until_damage else "clip_size_pixels"
        raise VoyageFileError(
            f"{name} is for clips that are cut into samples",
            where=f"{where}, [prepare]",
            expected="clip_frames beside it",
            found="no clip_frames: a clip is one sample in its source bytes",
        )


def split_names(recipe: RecipeSection) -> tuple[str, ...]:
    """Return the names of the splits that the recipe makes; ("train",) where it holds nothing back."""
    held = [name for name in ("validation", "test") if getattr(recipe.splits, name) > 0]
    return ("train", *held)


def _digest(value: dict[str, object]) -> str:
    return sha256_bytes(rfc8785.dumps(value))  # pyright: ignore[reportArgumentType]
