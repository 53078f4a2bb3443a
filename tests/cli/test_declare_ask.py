"""`packtrain declare --ask` at a terminal: a person is asked, shown all answers, and signs."""

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from command_parts import Site, copy_site, packtrain
from declaring_parts import LAWFUL, Person, by_file, said
from packtrain.diligence.interview import Asked
from packtrain.documents.declaration import Declaration
from packtrain.record.folder import VoyageFolder

PROMPT = re.compile(r"(?:^|\r\n)  (\S[^\r\n]*?)(?: \[([^\r\n]*)\])?: $")
SIGN = "[y/N]: "
SIX = (
    "Institute",
    "1 Street",
    "NO",
    "NO",
    "none",
    "shipper",  # receiver
    "Hall",
    "2 Street",
    "NO",
    "",  # no answer: asked again
    "NO",
    "none",
    "",  # trained for the shipper, as the form proposes
    "forecasting",
    "two workstations",
    "NO",
    "weights, to the shipper",
    "100 MB",
    "4",
    "noise",
    "measurements; noise",
    "no",
    "the end of the month",
)
NUM_QUESTIONS = len(SIX) - 1


@pytest.fixture
def site(at_home: Site, tmp_path: Path) -> Site:
    site = copy_site(at_home, tmp_path)
    for path in (
        *(site.home / "documents").glob("declaration*"),
        site.home / "receipts" / "declare.json",
        site.home / "declaration.toml",
    ):
        path.unlink()
    return site


def declared(site: Site) -> Declaration:
    return VoyageFolder(site.home).read_signed(Declaration)


def test_six_answers_are_asked_shown_and_signed(site: Site) -> None:
    ran = packtrain("declare", site.home, "--ask", typed="\n".join([*SIX, "y", ""]))

    assert ran.exit_code == 0, ran.stderr
    assert declared(site).operator.headquarters == "NO"
    assert declared(site).trained_for == declared(site).receiver == declared(site).shipper
    assert declared(site).data.categories == ("measurements", "noise")
    # A line of help each, the words to choose from, why an answer is none, and all answers before the signature.
    assert "country of this address" in ran.stderr
    assert "1 yes; 2 no" in ran.stderr
    assert "no: an answer is needed" in ran.stderr
    assert ran.stderr.index("to be signed:") < ran.stderr.index("sign this?")
    assert "customer" not in ran.stderr.split("sign this?")[1]


def test_no_is_not_signed_and_the_answers_stay(site: Site) -> None:
    ran = packtrain("declare", site.home, "--ask", typed="\n".join([*SIX, "n", ""]))

    assert ran.exit_code == 2
    assert "nothing was signed" in ran.stderr
    assert not (site.home / "documents" / "declaration.json").exists()
    assert tomllib.loads((site.home / "declaration.toml").read_text())["end_use"] == "forecasting"
    # Enter keeps each of them; and now they are meant.
    again = packtrain("declare", site.home, "--ask", typed="\n" * NUM_QUESTIONS + "y\n")
    assert again.exit_code == 0, again.stderr
    assert "end_use [forecasting]" in again.stderr


def test_the_end_of_input_keeps_what_was_answered(site: Site) -> None:
    ran = packtrain("declare", site.home, "--ask", typed="\n".join(SIX[:8]) + "\n")

    assert ran.exit_code == 130
    kept = tomllib.loads((site.home / "declaration.toml").read_text())
    assert kept["operator"] == {"name": "Hall", "address": "2 Street"}


@pytest.mark.parametrize(
    ("options", "typed"), [((), None), (("--json",), None), (("--json",), ""), (("--write-form",), "")]
)
def test_without_a_person_alone_at_a_terminal_nothing_is_asked(
    site: Site, options: tuple[str, ...], typed: str | None
) -> None:
    ran = packtrain("declare", site.home, "--ask", *options, typed=typed)

    assert ran.exit_code == 2
    assert "--write-form" in ran.stderr
    assert not (site.home / "declaration.toml").exists()


def test_a_changed_answer_needs_amend_and_shows_both(site: Site) -> None:
    assert packtrain("declare", site.home, "--ask", typed="\n".join([*SIX, "y", ""])).exit_code == 0
    first = declared(site)
    other = [""] * NUM_QUESTIONS
    other[12] = "forecasting rain"

    refused = packtrain("declare", site.home, "--ask", typed="\n".join([*other, "y", ""]))
    assert refused.exit_code == 77, refused.stderr
    assert declared(site) == first

    ran = packtrain("declare", site.home, "--ask", "--amend", typed="\n" * NUM_QUESTIONS + "y\n")
    assert ran.exit_code == 0, ran.stderr
    assert 'end_use: "forecasting" -> "forecasting rain"' in declared(site).changes


# --- a real terminal ---


class Screen:
    """A pseudoterminal with the command at its other end."""

    def __init__(self, *arguments: object) -> None:
        self.shown = ""
        self._unread = ""
        self._master, slave = pty.openpty()
        environment = os.environ | {"TERM": "dumb", "PYTHONPATH": os.pathsep.join(sys.path)}
        self.command = subprocess.Popen(
            [sys.executable, "-m", "packtrain", *map(str, arguments)],
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environment,
            start_new_session=True,
        )
        os.close(slave)

    def until_it_asks(self) -> str | None:
        """Return the text up to and with its next question; None where it ended instead."""
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            if PROMPT.search(self._unread) or self._unread.endswith(SIGN):
                asked, self._unread = self._unread, ""
                return asked
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    piece = os.read(self._master, 65536).decode()
                except OSError:  # the other end is closed: EIO, on Linux
                    piece = ""
                if not piece:
                    return None
                self.shown += piece
                self._unread += piece
        raise AssertionError(f"it neither asked nor ended: {self.shown[-2000:]}")

    def type(self, text: str) -> None:
        os.write(self._master, text.encode())

    def press_ctrl_c(self) -> None:
        """Interrupt it once it waits for an answer: Python loses a signal that comes just before it begins to read."""
        stat = Path(f"/proc/{self.command.pid}/stat")
        asleep = 0
        while asleep < 4:
            # The name in parentheses may hold anything; the state follows it.
            asleep = asleep + 1 if stat.read_text().rpartition(")")[2].split()[0] == "S" else 0
            time.sleep(0.05)
        os.killpg(self.command.pid, signal.SIGINT)

    def close(self) -> None:
        self.command.kill()
        self.command.wait()
        os.close(self._master)


@contextmanager
def screen(*arguments: object) -> Iterator[Screen]:
    opened = Screen(*arguments)
    try:
        yield opened
    finally:
        opened.close()


def test_a_voyage_over_a_border_is_asked_to_a_signed_full_form_on_a_real_terminal(site: Site, tmp_path: Path) -> None:
    person, num_signed = Person(LAWFUL), 0
    with screen("declare", site.home, "--ask") as terminal:
        while (shown := terminal.until_it_asks()) is not None:
            if shown.endswith(SIGN):
                num_signed += 1
                terminal.type("y\n")
                continue
            prompt = PROMPT.search(shown)
            assert prompt is not None
            terminal.type(person(Asked(prompt[1], default=prompt[2] or "")) + "\n")
        assert terminal.command.wait(60) == 0, terminal.shown[-3000:]

    # The six before anybody is told what they lead to, and then all of it.
    assert num_signed == 2
    second = terminal.shown.split("to be signed:")[2]
    assert "full.customs_reference" in second and "full.route 1.mode" in second  # shown, and not as a digest alone
    assert "the six answers are signed; the full form is asked now" in terminal.shown
    assert "\n  customer" not in terminal.shown.split("sign this?")[0]
    assert said(declared(site)) == said(
        by_file(tmp_path / "file", LAWFUL, voyage=VoyageFolder(site.home).voyage_file().voyage.name)
    )
    assert '"undisclosed" is an answer' in terminal.shown
    assert json.loads((site.home / "documents" / "declaration.json").read_bytes())["form"] == "full"


def test_what_was_answered_of_a_full_form_is_proposed_when_it_is_asked_again(site: Site) -> None:
    (site.home / "declaration.toml").write_text(LAWFUL)
    assert packtrain("declare", site.home).exit_code == 0
    first = declared(site)

    ran = packtrain("declare", site.home, "--ask", typed="\n" * 200)

    assert ran.exit_code == 0, ran.stderr
    assert "customer [shipper]" in ran.stderr and "carriage.legs[0].mode [checked baggage]" in ran.stderr
    assert "sign this?" not in ran.stderr
    assert declared(site) == first


def test_ctrl_c_on_a_real_terminal_keeps_what_was_answered(site: Site) -> None:
    with screen("declare", site.home, "--ask") as terminal:
        for text in SIX[:3]:
            assert terminal.until_it_asks() is not None
            terminal.type(f"{text}\n")
        assert terminal.until_it_asks() is not None
        terminal.press_ctrl_c()
        assert terminal.until_it_asks() is None
        assert terminal.command.wait(60) == 130

    kept = tomllib.loads((site.home / "declaration.toml").read_text())
    assert kept["shipper"] == {"name": "Institute", "address": "1 Street", "location": "NO"}
    assert "stopped by Ctrl-C" in terminal.shown
