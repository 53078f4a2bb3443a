"""inspect on one machine, with the engine that trains: the sheet, who may make one, and what makes a site unfit."""

import functools
import json
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from packtrain.cli.main import cli
from packtrain.documents.admission import Admission
from packtrain.documents.inspection import Finding, Inspection
from packtrain.documents.kit import Kit
from packtrain.documents.ready import Ready
from packtrain.engines.local import LocalEngine
from packtrain.errors import HostUnfit, SiteUnfit, UntrustedSigner, WrongRole
from packtrain.events import discard
from packtrain.inspecting import look_at_host, wanted_of
from packtrain.record.folder import VoyageFolder
from packtrain.record.signed import in_folder
from packtrain.stages.inspect import World, inspect
from packtrain.stages.inspect import run as stage
from packtrain.training.site import machine
from packtrain.training.site.machine import HostTask
from packtrain.training.site.seen import Seen
from packtrain.voyage import Voyage
from sample_documents import samples
from site_parts import site_with_miniature, write_program

# Its losses are 10/step, times what the data says: other samples make other losses.
PROGRAM = """
import argparse, json, pathlib
parser = argparse.ArgumentParser()
for name in ("data", "ckpt", "out"):
    parser.add_argument(f"--{name}")
parser.add_argument("--steps", type=int)
given = parser.parse_args()
factor = float((pathlib.Path(given.data) / "index.parquet").read_bytes())
for step in range(1, given.steps + 1):
    print(json.dumps({"step": step, "loss": factor * 10 / step, "samples": 3}), flush=True)
"""
_ask_once = functools.cache(machine.ask_python)


@pytest.fixture(autouse=True)
def asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask each interpreter once in all tests: to answer it imports torch, which takes seconds."""
    for module in (machine, stage):
        monkeypatch.setattr(module, "ask_python", _ask_once)


def look(task: HostTask) -> tuple[Finding, ...]:
    """Look at this host in no time; the real look is that of test_machine.py."""
    seen = Seen("here")
    seen.told("Python", task.python)
    return tuple(seen.findings)


def look_badly(task: HostTask) -> tuple[Finding, ...]:
    seen = Seen("here")
    seen.bad("memory", "half of it", "put the other half in", asked=str(task.promised.memory_bytes))
    return tuple(seen.findings)


@pytest.fixture
def folders(tmp_path: Path) -> dict[Any, VoyageFolder]:
    """Return the three folders after load; the kit and the rehearsal's sheet came along, and the miniature."""
    return site_with_miniature(tmp_path, PROGRAM)


def inspected(folder: VoyageFolder, look: Any = look) -> Inspection:
    return inspect(folder, wanted_of(folder, None, 0.1, None), World(LocalEngine(), look, None, {}), discard)


def finding(sheet: Inspection, what: str) -> Finding:
    return next(one for one in sheet.findings if one.what == what)


def test_a_fit_site_has_a_signed_sheet_with_the_losses_of_home(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["consignee"]
    sheet = inspected(folder)

    assert sheet.is_fit and sheet == folder.read_signed(Inspection)
    assert (sheet.kit, sheet.ready) == (folder.digest(Kit), folder.digest(Ready))
    losses = finding(sheet, "losses of the miniature")
    assert losses.verdict == "good" and "equal to the last bit" in losses.found
    assert not (folder.work / "inspection" / "miniature" / "data").exists()
    verdicts = {one.name: one.verdict for one in in_folder(folder.root, folder.trust())}
    assert verdicts["documents/inspection.json"] == "good"


def test_other_samples_than_the_rehearsal_s_make_the_site_unfit(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["consignee"]
    program = folder.root / "program" / "train.py"
    program.write_text(program.read_text().replace("factor * 10", "factor * 11"))
    with pytest.raises(SiteUnfit, match="losses of the miniature") as caught:
        inspected(folder)

    assert caught.value.exit_code == 88
    sheet = folder.read_signed(Inspection)
    assert not sheet.is_fit and "the first that differs is step 1" in sheet.faults[0].found


def test_a_program_that_fails_here_makes_the_site_unfit(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["consignee"]
    write_program(folder, "raise SystemExit('no such device')")
    with pytest.raises(SiteUnfit, match="no such device"):
        inspected(folder)


@pytest.mark.parametrize(("verdict", "why"), [("hold", "holds this shipment"), ("refuse", "refused this shipment")])
def test_the_miniature_of_cargo_that_is_not_admitted_any_more_is_not_run(
    folders: dict[Any, VoyageFolder], verdict: str, why: str
) -> None:
    folder = folders["consignee"]
    later = msgspec.structs.replace(folder.read_signed(Admission), verdict=verdict)
    folder.write_signed(later, folders["operator"].signer())
    told = finding(inspected(folder), "losses of the miniature")
    assert told.verdict == "not shown"
    assert why in str(told)


def test_a_miniature_that_did_not_come_is_not_shown_and_no_fault(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["consignee"]
    for path in (folder.root / "store" / "rehearsed").iterdir():
        path.unlink()
    sheet = inspected(folder)

    assert sheet.is_fit and finding(sheet, "losses of the miniature").verdict == "not shown"


def test_the_operator_inspects_before_the_cargo_came(folders: dict[Any, VoyageFolder]) -> None:
    sheet = inspected(folders["operator"])

    assert (sheet.by, sheet.kit) == ("operator", None)
    assert finding(sheet, "losses of the miniature").verdict == "not shown"


def test_a_bad_host_is_signed_and_named(folders: dict[Any, VoyageFolder]) -> None:
    with pytest.raises(SiteUnfit, match="here: memory: half of it"):
        inspected(folders["operator"], look_badly)
    assert not folders["operator"].read_signed(Inspection).is_fit


def test_what_was_promised_and_not_shown_is_a_fault(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["operator"]
    with (folder.root / "voyage.toml").open("a") as stream:
        stream.write("\n[site.promised]\nallreduce_gb_per_second = 100.0\n")
    with pytest.raises(SiteUnfit, match="sum over all hosts"):
        inspected(folder)

    sheet = folder.read_signed(Inspection)
    assert sheet.promised is not None and sheet.promised.allreduce_gb_per_second == 100.0


def test_the_consignor_inspects_nothing_and_signs_no_sheet(folders: dict[Any, VoyageFolder]) -> None:
    with pytest.raises(WrongRole, match="inspect"):
        Voyage(folders["consignor"].root, discard).inspect()
    folders["consignor"].write_signed(samples()[Inspection], folders["consignor"].signer())
    with pytest.raises(UntrustedSigner):
        folders["consignor"].read_signed(Inspection)


def test_a_killed_inspection_leaves_no_sheet(folders: dict[Any, VoyageFolder]) -> None:
    def killed(task: HostTask) -> tuple[Finding, ...]:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        inspected(folders["operator"], killed)
    assert not folders["operator"].has(Inspection)


class Others:
    """A mapper of two hosts, of which one is lost: the look runs here."""

    def hosts(self) -> tuple[str, ...]:
        return ("node-1", "node-2")

    def map_bound(self, run: Any, jobs: Any) -> Any:
        class Lost:
            why = "it no longer answers"

        for host, job in jobs:
            yield host, job, run(job) if host == "node-1" else Lost()


def test_each_host_is_looked_at_under_its_own_name_and_a_lost_one_is_bad(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["operator"]
    with pytest.raises(SiteUnfit, match="node-2: host: it no longer answers"):
        world = World(LocalEngine(), look, lambda: nullcontext(Others()), {})
        inspect(folder, wanted_of(folder, None, 0.1, None), world, discard)

    sheet = folder.read_signed(Inspection)
    assert sheet.hosts[:2] == ("node-1", "node-2")
    assert {one.hosts for one in sheet.findings if one.what == "Python"} == {("node-1",)}


def command(*words: object) -> Any:
    return CliRunner().invoke(cli, ["--no-progress", "inspect", *map(str, words)])


def test_a_dry_run_says_what_would_be_looked_at_and_writes_nothing(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["consignee"]
    before = sorted(folder.root.iterdir())
    done = command("--voyage", folder.root, "--dry-run", "--json")

    assert done.exit_code == 0
    assert json.loads(done.stdout)["miniature"] == "is run again"
    assert not folder.has(Inspection) and sorted(folder.root.iterdir()) == before


def test_the_command_prints_a_table_a_host_and_the_verdict(folders: dict[Any, VoyageFolder]) -> None:
    done = command("--voyage", folders["operator"].root, "--seconds", "0.1")

    assert done.exit_code == 0, done.output
    assert "kernel and glibc: " in done.output
    assert done.output.rstrip().splitlines()[-1].startswith("fit: 1 host, nothing bad")


def test_a_site_that_is_not_what_was_promised_ends_the_command_with_88(folders: dict[Any, VoyageFolder]) -> None:
    folder = folders["operator"]
    with (folder.root / "voyage.toml").open("a") as stream:
        stream.write("\n[site.promised]\ncores = 100000\n")
    done = command("--voyage", folder.root, "--seconds", "0.1", "--json")

    assert done.exit_code == SiteUnfit.exit_code == 88
    assert json.loads(done.stdout)["is_fit"] is False


class Unfit:
    """A mapper of two hosts, of which one is found unfit by the engine; no host of it all where `names` is empty."""

    def __init__(self, unfit: dict[str, HostUnfit], *names: str) -> None:
        self._unfit, self._names = unfit, names

    def hosts(self) -> tuple[str, ...]:
        self._unfit["node-2"] = HostUnfit(
            "this host has another version of torch", where="node-2", expected="2.13.0", found="2.9.1", hint="same"
        )
        return self._names

    def map_bound(self, run: Any, jobs: Any) -> Any:
        for host, job in jobs:
            yield host, job, run(job)


@pytest.mark.parametrize("names", [("node-1",), ()])
def test_an_unfit_host_is_a_finding_and_the_others_are_inspected(
    folders: dict[Any, VoyageFolder], names: tuple[str, ...]
) -> None:
    folder, unfit = folders["operator"], dict[str, HostUnfit]()
    world = World(LocalEngine(), look, lambda: nullcontext(Unfit(unfit, *names)), unfit)
    with pytest.raises(SiteUnfit, match=r"node-2: host: this host has another version of torch: 2\.9\.1"):
        inspect(folder, wanted_of(folder, 5, 0.1, None), world, discard)

    sheet = folder.read_signed(Inspection)
    assert sheet.hosts == (*names, "node-2")
    [fault] = sheet.faults
    assert (fault.hosts, fault.asked, fault.remedy) == (("node-2",), "2.13.0", "same")
    assert [one.hosts for one in sheet.findings if one.what == "Python"] == [(name,) for name in names]


def test_a_part_of_a_look_that_fails_is_a_finding_and_the_rest_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(seen: Seen) -> None:
        raise RuntimeError("\x1b[2Jno such bus")

    monkeypatch.setattr("packtrain.inspecting.look_at_interfaces", fails)
    told = look_at_host(HostTask(python="/nowhere/python", folders=(), seconds=0.1))

    [bad] = [one for one in told if one.what == "interfaces"]
    assert bad.verdict == "bad" and "RuntimeError: \\u001b[2Jno such bus" in bad.found
    assert {"processors", "name", "accelerators"} <= {one.what for one in told}
