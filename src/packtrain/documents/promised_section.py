"""[site.promised] of voyage.toml: what the contract with the site's provider promised, for `inspect` to hold it to."""

from __future__ import annotations

from typing import Annotated

import msgspec

from packtrain.documents.codec import Count, Part

_Many = Annotated[int, msgspec.Meta(ge=1, le=100_000)]
_Rate = Annotated[float, msgspec.Meta(gt=0, le=1e9)]
_Name = Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class PromisedSection(Part, frozen=True, kw_only=True):
    """[site.promised]: what the site's provider promised; `packtrain inspect` fails where less is found, or not shown.

    Attributes:
        hosts: how many hosts there are.
        accelerators: on each host.
        accelerator: what their name holds, such as "H200"; upper and lower case are one.
        accelerator_memory_bytes: of each of them, at least.
        driver: NVIDIA's, at least, such as "580.65".
        memory_bytes: of each host, at least.
        cores: processors that a program may use on each host, at least.
        free_bytes: on the file system of the store, at least.
        disk_mb_per_second: of writing to the store and of reading from it, on each host, at least.
        allreduce_gb_per_second: between all hosts, as bus bandwidth, at least; GB are 10^9 bytes.
        clock_seconds: by how much the clocks of two hosts may differ.
    """

    hosts: _Many | None = None
    accelerators: Annotated[int, msgspec.Meta(ge=0, le=1024)] | None = None
    accelerator: _Name | None = None
    accelerator_memory_bytes: Count | None = None
    driver: Annotated[str, msgspec.Meta(pattern=r"\A[0-9]{1,6}(\.[0-9]{1,6}){0,3}\Z")] | None = None
    memory_bytes: Count | None = None
    cores: _Many | None = None
    free_bytes: Count | None = None
    disk_mb_per_second: _Rate | None = None
    allreduce_gb_per_second: _Rate | None = None
    clock_seconds: _Rate | None = None
