"""Ray and Slurm, where they are asked for: installed, of the version that is needed, and answering."""

from __future__ import annotations

import importlib.metadata
import platform
import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from packtrain.doctor.children import ask, child, find_program
from packtrain.doctor.finding import Finding, State, Subject

_VERBS: Final = ("prepare",)
_RAY: Final = (2, 60)
_HEAD_SECONDS: Final = 25.0
_COMMAND_SECONDS: Final = 10.0
_SLURM: Final = ("sbatch", "squeue", "scancel", "scontrol")


def look_at_ray(subject: Subject) -> Iterator[Finding]:
    """Yield whether Ray is here, new enough, and the same as on the heads whose addresses are configured."""
    voyage, elsewhere = subject.voyage, subject.environment.get("RAY_ADDRESS", "")
    sections = {"prepare": voyage.prepare, "train": voyage.site} if voyage is not None else {}
    asked = tuple(verb for verb, section in sections.items() if section.engine == "ray")
    heads: dict[str, tuple[str, ...]] = {}
    for verb, section in sections.items():
        if verb in asked or (not asked and section.ray_address):
            address = section.ray_address or elsewhere
            heads[address] = (*heads.get(address, ()), verb)
    heads = {address: verbs for address, verbs in heads.items() if address}
    if not asked and not heads and elsewhere:
        heads = {elsewhere: _VERBS}
    verbs = asked or _VERBS
    try:
        version = importlib.metadata.version("ray")
    except importlib.metadata.PackageNotFoundError:
        if not asked and not heads:
            return
        remedy = "pip install 'packtrain[cluster]', on every host"
        state: State = "fault" if asked else "warn"
        yield Finding("Ray", state, "not installed", verbs, "the cluster cannot be given work", remedy)
        return
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if numbers < _RAY:
        remedy = "pip install -U 'ray>=2.60', on every host"
        why = "packtrain is written for, and tested with, 2.60 and newer"
        yield Finding("Ray", "fault" if asked else "warn", version, verbs, why, remedy)
    else:
        yield Finding("Ray", "ok", version, verbs)
    for address, those in heads.items():
        if address not in ("auto", "local"):
            yield replace(_head(address, version, " and ".join(those), is_asked=bool(asked)), verbs=those)


def _head(address: str, version: str, who: str, *, is_asked: bool) -> Finding:
    what = "Ray's head"
    port = address.rpartition(":")[2]
    refused: State = "fault" if is_asked else "warn"
    if address.startswith("ray://"):
        why = f"{who} joins the cluster, which a client's server does not offer"
        remedy = "name HOST:PORT of the head; ray start --address HOST:PORT --num-cpus 0 makes this one of its hosts"
        return Finding(what, refused, f"{address} is a Ray client's server", _VERBS, why, remedy)
    records = child("child_ray", told=address, with_packages=True).answer(_HEAD_SECONDS).records()
    told = {key: value for record in records for key, value in record.items()}
    if not told.get("is_open"):
        found = f"{address}: {told.get('why') or 'no answer'}"
        remedy = f"start it there: ray start --head --port {port if port.isdigit() else 6379}"
        return Finding(what, refused, found, _VERBS, f"{who} cannot join the cluster", remedy)
    if told.get("wants_token"):
        found = f"{address} wants the cluster's token, and this user has none that it takes"
        remedy = "let the head's ray get-auth-token be laid into ~/.ray/auth_token here"
        return Finding(what, refused, found, _VERBS, f"{who} cannot join the cluster", remedy)
    theirs, python = str(told.get("ray_version") or ""), str(told.get("python_version") or "")
    if not theirs:
        why = "hosts of a cluster have one version of Ray and of Python"
        reason = told.get("why") or "no head of Ray, or no token of it here"
        found = f"{address} answers, and does not tell its version ({reason})"
        return Finding(what, "not shown", found, _VERBS, why, f"ray status --address {address}")
    here = platform.python_version()
    if theirs != version or (python and python != here):
        found = f"{address} has Ray {theirs}, Python {python or 'not told'}; here Ray {version}, Python {here}"
        remedy = f"pip install ray=={theirs}, under Python {python or 'of the head'}"
        return Finding(what, refused, found, _VERBS, "Ray refuses hosts of another version", remedy)
    return Finding(what, "ok", f"{address} has the same Ray and Python", _VERBS)


def look_at_slurm(subject: Subject) -> Iterator[Finding]:
    """Yield whether the commands of Slurm are here, and whether they know a cluster."""
    prepare, site = (subject.voyage.prepare, subject.voyage.site) if subject.voyage is not None else (None, None)
    asked = ["prepare"] if prepare is not None and prepare.engine == "slurm" else []
    asked += ["train"] if site is not None and site.engine == "slurm" else []
    is_asked, verbs = bool(asked), tuple(asked) or _VERBS
    missing = [name for name in _SLURM if find_program(name) is None]
    refused: State = "fault" if is_asked else "not needed"
    why = f"{' and '.join(verbs)} --engine slurm cannot submit jobs"
    if missing:
        remedy = "run it on a host that submits jobs, or: apt-get install slurm-client"
        yield Finding("Slurm", refused, f"no {', '.join(missing)}", verbs, why, remedy)
        return
    version = ask(["sbatch", "--version"], _COMMAND_SECONDS)
    # It reads who it works for, and its controller is asked: nothing is submitted.
    reached = ask(["squeue", "--noheader", "--states", "PENDING"], _COMMAND_SECONDS) if is_asked else version
    for answer in (version, reached):
        if answer.status != 0:
            remedy = "scontrol ping; the cluster's slurm.conf belongs into /etc/slurm"
            yield Finding("Slurm", refused, answer.first_line or "no answer", verbs, why, remedy)
            return
    yield Finding("Slurm", "ok", version.first_line, verbs)
