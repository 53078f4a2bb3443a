"""Readers take a fingerprint of each sample where the recipe compares samples, and none where it does not."""

from pathlib import Path

import pytest

from packtrain.dataset.kinds.piece import Piece
from packtrain.documents.recipe import NearDuplicatesSection, RecipeSection, SplitsSection
from source_parts import clip, jpeg, read


def _fingerprints(path: Path, recipe: RecipeSection) -> list[bytes]:
    return [found.fingerprint for found in read(path, recipe) if isinstance(found, Piece)]


@pytest.mark.parametrize(
    ("recipe", "length"),
    [
        (RecipeSection(), 0),
        (RecipeSection(near_duplicates=NearDuplicatesSection(drop=True)), 32),
        (RecipeSection(splits=SplitsSection(validation=0.1)), 32),
        (RecipeSection(near_duplicates=NearDuplicatesSection(image="phash")), 8),
        (RecipeSection(near_duplicates=NearDuplicatesSection(drop=True, image="off")), 0),
    ],
)
def test_images_have_the_fingerprint_that_the_recipe_asks_for(
    tmp_path: Path, recipe: RecipeSection, length: int
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg())
    assert [len(each) for each in _fingerprints(tmp_path / "a.jpg", recipe)] == [length]


def test_a_turned_photograph_has_nearly_the_fingerprint_of_the_upright_one_kept_or_made_anew(tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "a.jpg").write_bytes(jpeg(320, 240))
    with Image.open(tmp_path / "a.jpg") as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "b.jpg", quality=92, exif=exif)
    near = NearDuplicatesSection(drop=True)
    for recipe in (RecipeSection(near_duplicates=near), RecipeSection(near_duplicates=near, image_resize_pixels=128)):
        (one,), (other,) = _fingerprints(tmp_path / "a.jpg", recipe), _fingerprints(tmp_path / "b.jpg", recipe)
        assert (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).bit_count() <= 31


@pytest.mark.parametrize(("clip_frames", "num_samples"), [(None, 1), (5, 2)])
def test_clips_have_one_of_eight_frames_and_their_length(
    tmp_path: Path, clip_frames: int | None, num_samples: int
) -> None:
    (tmp_path / "a.mp4").write_bytes(clip(10))
    recipe = RecipeSection(clip_frames=clip_frames, near_duplicates=NearDuplicatesSection(clip="pdq"))
    found = _fingerprints(tmp_path / "a.mp4", recipe)
    assert [len(each) for each in found] == [260] * num_samples
    assert int.from_bytes(found[0][:4], "big") == (1000 if clip_frames is None else 500)
