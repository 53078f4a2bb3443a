"""What a kit asks of a host, by its list of files: Python, machine, glibc, and the CUDA that its torch is built for."""

from __future__ import annotations

import re
from typing import Final

from packtrain.documents.kit import Kit
from packtrain.training.site.machine import KitNeeds
from packtrain.training.target import glibc_needed

_TORCH: Final = re.compile(r"wheels/torch-(?P<version>[^-/]+)-")
_CUDA_LOCAL: Final = re.compile(r"\+cu(?P<major>[0-9]{2})(?P<minor>[0-9])\Z")
_CUDA_WHEELS: Final = (
    re.compile(r"wheels/nvidia_cuda_runtime(?:_cu[0-9]{2})?-(?P<version>[0-9]+\.[0-9]+)[^-]*-"),
    re.compile(r"wheels/cuda_toolkit-(?P<version>[0-9]+\.[0-9]+)[^-]*-"),
)
_PLATFORM: Final = re.compile(r"-(?P<tags>[A-Za-z0-9_.]+)\.whl\Z")


def needs_of_kit(kit: Kit) -> KitNeeds:
    """Return what a kit asks of the hosts it is installed on.

    torch from PyTorch's own index says its CUDA in its version (2.13.0+cu130), that of PyPI by the wheels beside it.
    """
    names = [file.name for file in kit.files if file.name.startswith("wheels/")]
    torch = next((found["version"] for name in names if (found := _TORCH.match(name))), "")
    torch = torch or next((one.version for one in kit.provided if one.name == "torch"), "")
    torch = torch.replace("%2B", "+").replace("_", "+", 1) if "+" not in torch else torch
    cuda = ""
    if local := _CUDA_LOCAL.search(torch):
        cuda = f"{local['major']}.{local['minor']}"
    elif torch and "+" not in torch:
        cuda = next((m["version"] for pattern in _CUDA_WHEELS for name in names if (m := pattern.match(name))), "")
    tags = [found["tags"].split(".") for name in names if (found := _PLATFORM.search(name))]
    machine = next((one for one in ("x86_64", "aarch64", "ppc64le", "s390x") if one in kit.target_platform), "")
    return KitNeeds(python=kit.target_python, machine=machine, glibc=glibc_needed(tags), cuda=cuda, torch=torch)
