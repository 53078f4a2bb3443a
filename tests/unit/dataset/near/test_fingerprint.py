import hashlib
import io
import random
import subprocess
import sys
from typing import Literal, TypeAlias

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageOps

from near_parts import bits_apart
from packtrain.dataset.near.fingerprint import (
    CLIP_FRAMES,
    CLIP_HEAD_BYTES,
    clip_times,
    fingerprint_of_frames,
    fingerprint_of_image,
)
from packtrain.dataset.near.hashes import SIDE, pdq_hash, pdq_quality, phash

ImageMethod: TypeAlias = Literal["pdq", "phash"]


def _scene(seed: int, size: tuple[int, int] = (320, 240)) -> Image.Image:
    """Return a picture of overlapping shapes: something at every scale, and no two seeds alike."""
    chance = random.Random(seed)
    image = Image.new("RGB", size, (chance.randrange(256), chance.randrange(256), chance.randrange(256)))
    draw = ImageDraw.Draw(image)
    for _ in range(60):
        left, top = chance.randrange(size[0]), chance.randrange(size[1])
        wide, high = chance.randrange(8, size[0] // 2), chance.randrange(8, size[1] // 2)
        colour = (chance.randrange(256), chance.randrange(256), chance.randrange(256))
        draw.ellipse((left - wide // 2, top - high // 2, left + wide // 2, top + high // 2), fill=colour)
    return image


def _pixels(seed: int) -> np.ndarray:
    """Return 64 x 64 pixels that depend on no random generator but SHA-256; steps of 7, so that no coefficient is 0."""
    stream = b"".join(hashlib.sha256(b"%d-%d" % (seed, number)).digest() for number in range(4))[:100]
    small = np.frombuffer(stream, dtype=np.uint8).reshape(10, 10)
    return np.kron(small, np.ones((7, 7), dtype=np.uint8))[:64, :64]


# Printed by pdqhash 0.2.8 (bindings of the reference implementation in C++), which has no wheels for Linux.
@pytest.mark.parametrize(
    ("seed", "expected", "quality"),
    [
        (0, "4d9e65e2b9e149d221b781788a9957667d067e079e48b62f4e1a9a4df1e0972c", 100),
        (1, "ee032af469935a4cc731073fae2751dc41f0fac028d7a675172c556b41f8b9c5", 100),
        (2, "a1e9f26141f2ae15ce32ed917a438dbd85bc366611ef126e8e0d0d9e5642566b", 100),
        (3, "d62bae07b9c42a9551cb65a6fac026375f5faa15a634552a463b51f429967722", 100),
    ],
)
def test_pdq_is_that_of_the_reference_implementation(seed: int, expected: str, quality: int) -> None:
    pixels = _pixels(seed)
    assert (pdq_hash(pixels).hex(), pdq_quality(pixels)) == (expected, quality)


def test_pdq_is_that_of_an_installed_reference_implementation() -> None:
    pdqhash = pytest.importorskip("pdqhash")
    for seed in range(50):
        pixels = np.asarray(_scene(seed).convert("L").resize((SIDE, SIDE)))
        vector, quality = pdqhash.compute(np.stack([pixels] * 3, axis=-1))
        assert pdq_hash(pixels) == np.packbits(vector).tobytes()
        assert pdq_quality(pixels) == quality


def test_phash_keeps_its_bits_from_version_to_version() -> None:
    assert [phash(_pixels(seed)).hex() for seed in range(3)] == [
        "3407b258f632e96d",
        "a31f5630aeeb030f",
        "d64279b072b3623d",
    ]


@pytest.mark.parametrize(("method", "threshold"), [("pdq", 31), ("phash", 4)])
def test_copies_in_another_form_are_near_and_other_pictures_are_not(method: ImageMethod, threshold: int) -> None:
    scenes = [_scene(seed) for seed in range(20)]
    originals = [fingerprint_of_image(scene, method) for scene in scenes]
    for scene, original in zip(scenes, originals, strict=True):
        compressed = io.BytesIO()
        scene.resize((200, 150)).save(compressed, "JPEG", quality=50)
        with Image.open(compressed) as copy:
            assert bits_apart(fingerprint_of_image(copy, method), original) <= threshold
    assert all(
        bits_apart(one, other) > threshold for number, one in enumerate(originals) for other in originals[:number]
    )


@pytest.mark.parametrize(
    "mode", ["L", "P", "LA", "PA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "RGBA", "RGBX", "I;16"]
)
def test_every_mode_of_a_picture_gives_nearly_the_same_bits(mode: str) -> None:
    scene = _scene(3)
    if mode == "I;16":
        # 12 bits in 16, as scanners store them.
        copy = Image.fromarray(np.asarray(scene.convert("L")).astype(np.uint16) * 16)
    else:
        copy = (scene.convert("P") if mode == "PA" else scene).convert(mode)
    assert copy.mode == mode
    assert bits_apart(fingerprint_of_image(copy), fingerprint_of_image(scene)) <= 8


def test_the_turn_that_exif_asks_for_is_applied() -> None:
    scene = _scene(4)
    for orientation in range(1, 9):
        exif = Image.Exif()
        exif[0x0112] = orientation
        stored = io.BytesIO()
        scene.save(stored, "PNG", exif=exif)
        with Image.open(stored) as image:
            upright = ImageOps.exif_transpose(image)
            assert bits_apart(fingerprint_of_image(image), fingerprint_of_image(upright)) <= 4


def test_what_lies_hidden_under_transparency_is_not_seen() -> None:
    scene = _scene(5).convert("RGBA")
    alpha = Image.new("L", scene.size, 255)
    ImageDraw.Draw(alpha).rectangle((0, 0, 160, 240), fill=0)
    scene.putalpha(alpha)
    on_white = Image.alpha_composite(Image.new("RGBA", scene.size, "white"), scene).convert("RGB")
    assert bits_apart(fingerprint_of_image(scene), fingerprint_of_image(on_white)) <= 8


@pytest.mark.parametrize("method", ["pdq", "phash"])
def test_a_blank_picture_is_not_compared(method: ImageMethod) -> None:
    for image in (
        Image.new("RGB", (300, 200), "white"),
        Image.new("1", (1, 1)),
        Image.new("F", (50, 50), float("nan")),
        Image.new("RGBA", (64, 64), (255, 0, 0, 0)),
    ):
        assert fingerprint_of_image(image, method) == b""


def test_a_picture_of_odd_measures_has_a_fingerprint() -> None:
    for size in ((2, 3000), (3000, 2), (65, 64)):
        image = Image.frombytes("L", size, random.Random(1).randbytes(size[0] * size[1]))
        assert len(fingerprint_of_image(image)) in (0, 32)


def test_mirrored_and_turned_pictures_are_others() -> None:
    scene = _scene(6)
    for copy in (ImageOps.mirror(scene), scene.rotate(90, expand=True)):
        assert bits_apart(fingerprint_of_image(scene), fingerprint_of_image(copy)) > 31


def test_a_clip_is_its_duration_and_its_frames() -> None:
    frames = [_scene(number) for number in range(CLIP_FRAMES)]
    frames[2] = Image.new("RGB", (320, 240), "black")
    fingerprint = fingerprint_of_frames(frames, 12.5)
    assert int.from_bytes(fingerprint[:CLIP_HEAD_BYTES], "big") == 12_500
    hashes = [fingerprint[start : start + 32] for start in range(CLIP_HEAD_BYTES, len(fingerprint), 32)]
    assert hashes == [fingerprint_of_image(frame) or bytes(32) for frame in frames]
    assert hashes[2] == bytes(32)


def test_a_clip_of_mostly_blank_frames_is_not_compared() -> None:
    blank = Image.new("RGB", (32, 32), "black")
    assert fingerprint_of_frames([blank] * 5 + [_scene(number) for number in range(3)], 4) == b""
    assert fingerprint_of_frames([blank] * 4 + [_scene(number) for number in range(4)], 4) != b""


def test_times_of_frames_lie_inside_of_the_clip() -> None:
    assert clip_times(8.0) == [0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5]
    assert len(clip_times(0.0)) == CLIP_FRAMES


def test_fingerprints_do_not_depend_on_the_process() -> None:
    code = (
        "import numpy as np; from PIL import Image;"
        "from packtrain.dataset.near.fingerprint import fingerprint_of_image;"
        "print(fingerprint_of_image(Image.fromarray((np.add.outer(np.arange(90)**2, np.arange(70)**2) % 251)"
        ".astype(np.uint8))).hex())"
    )
    runs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(sys.path), "OPENBLAS_CORETYPE": core},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, core in (("1", "Prescott"), ("2", ""))
    }
    assert len(runs) == 1 and len(runs.pop().strip()) == 64
