"""`packtrain doctor` as a user runs it: what it says, what it ends with, and that it changes nothing."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import packtrain as package
from command_parts import CASES, Site, done, packtrain
from doctor_parts import assert_well_formed
from packtrain.cli.verbs import doctor
from packtrain.doctor.examination import Examination
from packtrain.doctor.finding import STATES, Finding
from packtrain.errors import MachineUnready

UNREADY = MachineUnready.exit_code


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    """A consignor's and an operator's folder; the drives are not there."""
    site = Site(tmp_path_factory.mktemp("doctor"))
    done("init", site.home, "--name", "tiny")
    done("init", site.hall, "--role", "operator")
    with (site.home / "voyage.toml").open("a") as file:
        file.write(CASES)
    return site


def _findings(document: dict[str, list[dict[str, object]]]) -> list[Finding]:
    found = [Finding(**{**one, "verbs": tuple(one["verbs"])}) for one in document["findings"]]  # type: ignore[arg-type]
    assert_well_formed(found)
    return found


def test_what_stops_a_verb_is_said_with_its_remedy_and_ends_with_97(site: Site) -> None:
    before = site.snapshot()
    ran, as_json = packtrain("doctor", site.home), packtrain("doctor", site.home, "--json")

    assert (ran.exit_code, as_json.exit_code) == (UNREADY, UNREADY)
    assert site.snapshot() == before
    lines = [line.strip() for line in ran.stdout.splitlines()]
    assert lines[0] == f"this machine, for the consignor, {site.home}"
    assert any(line.startswith("drives") and "not there: " in line for line in lines)
    assert any(line.startswith("-> mount them") for line in lines)
    assert lines[-1].startswith("not ready: ") and "pack" in lines[-1]
    document = as_json.document()
    found = _findings(document)
    assert document["ready"] is False and "pack" in document["stopped"]
    assert sum(document["counts"].values()) == len(found)
    assert {one.state for one in found} <= set(STATES)
    assert as_json.stderr == ""


def test_the_last_line_counts_warnings_as_warnings() -> None:
    warned = Finding("clock kept", "warn", "no time server keeps it", ("pack",), "nobody else does", "set-ntp")
    told = doctor._text(Examination(None, None, (warned, warned)))
    assert told.splitlines()[-1] == "ready, with 2 warnings"


def test_another_party_is_told_what_matters_to_it(site: Site) -> None:
    document = packtrain("doctor", site.hall, "--json").document()

    verbs = {verb.split()[0] for one in _findings(document) for verb in one.verbs}
    assert document["role"] == "operator"
    assert "admit" in verbs
    assert not verbs & {"prepare", "rehearse", "load", "pack"}


def test_a_fault_of_another_party_stops_nothing(site: Site) -> None:
    ran = packtrain("doctor", site.home, "--for", "consignee", "--json")

    assert "drives" not in {one.what for one in _findings(ran.document())}
    assert (ran.exit_code, ran.document()["stopped"]) == (0, [])


def test_without_a_voyage_the_machine_alone_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    ran = packtrain("doctor", "--json")

    found = _findings(ran.document())
    assert (ran.document()["voyage"], ran.document()["role"]) == (None, None)
    assert {"Python", "ISA-L", "namespaces", "clock", "open files"} <= {one.what for one in found}
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_named_and_is_no_voyage_is_refused(tmp_path: Path) -> None:
    ran = packtrain("doctor", tmp_path / "nowhere")

    assert ran.exit_code == 11
    assert "packtrain init" in ran.stderr


def test_a_voyage_toml_with_a_typo_is_a_finding_and_the_rest_is_looked_at(tmp_path: Path) -> None:
    done("init", tmp_path / "home")
    with (tmp_path / "home" / "voyage.toml").open("a") as file:
        file.write("\n[drivs]\n")

    ran = packtrain("doctor", tmp_path / "home", "--json")

    found = {one.what: one for one in _findings(ran.document())}
    assert ran.exit_code == UNREADY
    assert found["voyage.toml"].state == "fault" and "drivs" in found["voyage.toml"].found
    assert found["voyage.toml"].remedy == 'did you mean "drives"?'
    assert found["ISA-L"].state in ("ok", "warn")


@pytest.mark.parametrize("module", ["msgspec", "cryptography", "xxhash"])
def test_without_a_library_of_its_own_it_still_says_which(site: Site, tmp_path: Path, module: str) -> None:
    # A finder before all others, as an environment that was half removed.
    (tmp_path / "sitecustomize.py").write_text(
        "import sys\n"
        "class Gone:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        f"        if name.split('.')[0] == {module!r}:\n"
        f"            raise ModuleNotFoundError('No module named ' + repr(name), name=name)\n"
        "sys.meta_path.insert(0, Gone())\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(package.__file__).parents[1])])

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        argv = [sys.executable, "-m", "packtrain", *map(str, words)]
        variables = {**os.environ, "PYTHONPATH": paths}
        return subprocess.run(argv, env=variables, capture_output=True, text=True, timeout=120)

    ran, other = run("doctor", site.home), run("status", site.home)

    assert ran.returncode == UNREADY, ran.stderr
    told = " ".join(ran.stdout.split())
    assert f"{module}: ModuleNotFoundError" in told
    assert f"--force-reinstall {module}" in told
    assert "Traceback" not in ran.stderr + other.stderr
    assert other.returncode == 24 and "packtrain doctor" in other.stderr, other.stderr


def test_nothing_is_asked_of_a_network(site: Site) -> None:
    watch = (
        "import sys, socket\n"
        "asked = []\n"
        "def see(event, arguments):\n"
        "    if event in ('socket.connect', 'socket.getaddrinfo', 'socket.sendto'):\n"
        "        asked.append(event)\n"
        "sys.addaudithook(see)\n"
        "from pathlib import Path\n"
        "from packtrain.doctor.examination import examine\n"
        f"examine(Path({str(site.home)!r}), None)\n"
        "print(asked)\n"
    )
    paths = str(Path(package.__file__).parents[1])
    variables = {**os.environ, "PYTHONPATH": paths}
    variables.pop("RAY_ADDRESS", None)
    ran = subprocess.run([sys.executable, "-c", watch], env=variables, capture_output=True, text=True, check=True)

    assert ran.stdout.strip() == "[]"


def test_a_look_that_breaks_is_not_shown_and_breaks_nothing(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    from packtrain.doctor import examination

    def broken(subject: object) -> list[Finding]:
        raise RuntimeError("the kernel said something new")

    from packtrain.doctor import processor

    monkeypatch.setattr(processor, "look_at_hash", broken)
    found = {one.what: one for one in examination.examine(site.hall, None).findings}

    assert found["hash"].state == "not shown" and "something new" in found["hash"].found
    assert found["clock"].state in ("ok", "warn")
