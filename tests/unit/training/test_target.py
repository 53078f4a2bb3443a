"""Targets: what is named, which wheels fit, what markers say there."""

import pytest
from packaging.tags import parse_tag, sys_tags

from packtrain.errors import VoyageFileError
from packtrain.training.target import Target, glibc_needed

NAMED = Target("3.12", "manylinux_2_28_x86_64")


@pytest.mark.parametrize("spelled", ["x86_64-manylinux_2_28", "manylinux_2_28_x86_64"])
def test_a_platform_is_named_as_uv_or_as_wheels_do(spelled: str):
    assert Target.named("3.12", spelled) == NAMED
    assert (NAMED.machine, NAMED.system_platform) == ("x86_64", "linux_x86_64")


def test_nothing_named_is_this_machine():
    assert Target.named(None, None) == Target.here()
    assert Target.here().tags() == tuple(sys_tags())


@pytest.mark.parametrize(
    ("python", "platform"),
    [("2.7", None), ("3.12.1", None), ("3", None), ("3.12", "windows"), ("3.12", "x86_64-manylinux_3_1"), ("", None)],
)
def test_what_no_kit_can_be_built_for_is_refused(python: str, platform: str | None):
    with pytest.raises(VoyageFileError, match=r"training\.(python|platform) is not"):
        Target.named(python, platform)


@pytest.mark.parametrize(
    ("tag", "fits"),
    [
        ("py3-none-any", True),
        ("cp312-cp312-manylinux_2_28_x86_64", True),
        ("cp312-cp312-manylinux2014_x86_64", True),
        ("cp312-cp312-manylinux_2_5_x86_64", True),
        ("cp310-abi3-manylinux_2_17_x86_64", True),
        ("py3-none-manylinux_2_17_x86_64", True),
        ("cp312-cp312-manylinux_2_34_x86_64", False),
        ("cp312-cp312-manylinux_2_28_aarch64", False),
        ("cp311-cp311-manylinux_2_17_x86_64", False),
        ("cp313-abi3-manylinux_2_17_x86_64", False),
        ("cp312-cp312-musllinux_1_2_x86_64", False),
        ("cp312-cp312-linux_x86_64", False),
    ],
)
def test_a_named_target_takes_what_a_machine_of_that_glibc_takes(tag: str, *, fits: bool):
    assert (not parse_tag(tag).isdisjoint(NAMED.tags())) is fits


def test_a_newer_glibc_and_a_narrower_python_are_preferred():
    order = {str(tag): rank for rank, tag in enumerate(NAMED.tags())}
    best = [
        "cp312-cp312-manylinux_2_28_x86_64",
        "cp312-cp312-manylinux_2_17_x86_64",
        "cp312-abi3-manylinux_2_17_x86_64",
    ]
    assert [order[tag] for tag in best] == sorted(order[tag] for tag in best)
    assert order["cp310-abi3-manylinux_2_17_x86_64"] < order["py3-none-any"]


def test_markers_are_the_targets_and_not_homes():
    for environment in Target("3.99", "manylinux_2_17_aarch64").environments():
        assert environment["python_version"] == "3.99"
        assert (environment["platform_machine"], environment["sys_platform"]) == ("aarch64", "linux")


def test_the_glibc_that_wheels_need_is_the_most_of_the_least_of_each():
    assert (
        glibc_needed([["manylinux_2_17_x86_64", "manylinux_2_28_x86_64"], ["any"], ["manylinux2014_x86_64"]]) == "2.17"
    )
    assert glibc_needed([["manylinux2014_x86_64"], ["manylinux_2_34_x86_64"]]) == "2.34"
    assert glibc_needed([["any"]]) == ""
