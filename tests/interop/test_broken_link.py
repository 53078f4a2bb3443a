"""Pieces over a link that is cut in the middle of one: real rsync and rclone send them, and send what is lacking again.

Both speak over loopback with a server of their own kind, through a relay that counts bytes and cuts all connections.
"""

import getpass
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cut_link import CutLink, cut_link, free_port, wait_for
from outbox_parts import WEIGHTS, Folders, contents, release, sealed_outbox
from packtrain.documents.codec import decode
from packtrain.documents.pieces import Pieces
from packtrain.errors import PiecesIncomplete
from packtrain.events import discard
from packtrain.stages import homecoming
from three_parties import copy_of_parties

pytestmark = pytest.mark.long

MIB = 1 << 20
NUM_WEIGHTS = 6_000_000
PIECE_BYTES = 4 * MIB
CUT_AFTER_BYTES = 2 * PIECE_BYTES + PIECE_BYTES // 2
"""In the middle of a piece, whichever comes first."""
SECONDS = 60


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("released")
    folders = sealed_outbox(root, NUM_WEIGHTS)
    release(folders)
    homecoming.cut_pieces(folders["consignee"], PIECE_BYTES, discard)
    return root


@pytest.fixture
def site(made: Path, tmp_path: Path) -> Folders:
    return copy_of_parties(made, tmp_path / "site")


def needs(command: str) -> None:
    if shutil.which(command) is None:
        pytest.skip(f"no {command} command (Debian package: {command})")


@contextmanager
def served(arguments: list[str], port: int) -> Iterator[None]:
    """Run a server until the end of the context."""
    with subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            wait_for(port, lambda: server.poll() is None)
            yield
        finally:
            server.terminate()


@contextmanager
def rsync_daemon(home: Path, folder: Path) -> Iterator[CutLink]:
    port = free_port()
    config = folder / "rsyncd.conf"
    user = getpass.getuser()
    config.write_text(
        f"port = {port}\naddress = 127.0.0.1\nuse chroot = no\npid file = {folder}/rsyncd.pid\n"
        f"log file = {folder}/rsyncd.log\n[home]\npath = {home}\nread only = no\n"
        + (f"uid = {user}\ngid = *\n" if user == "root" else "")
    )
    with served(["rsync", "--daemon", "--no-detach", f"--config={config}"], port), cut_link(port) as link:
        yield link


@contextmanager
def webdav(home: Path) -> Iterator[CutLink]:
    port = free_port()
    command = ["rclone", "serve", "webdav", str(home), "--addr", f"127.0.0.1:{port}", "--config", "/dev/null"]
    with served(command, port), cut_link(port) as link:
        yield link


def send(arguments: list[str], *, ends_well: bool) -> None:
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode == 0) == ends_well, done.stdout + done.stderr


def rsync(source: Path, link: CutLink, *more: str) -> list[str]:
    return ["rsync", "--recursive", "--partial", *more, f"{source}/", f"rsync://127.0.0.1:{link.port}/home/"]


def rclone(source: Path, link: CutLink, *more: str) -> list[str]:
    return [
        "rclone", "copy", str(source), ":webdav:", "--webdav-url", f"http://127.0.0.1:{link.port}",
        "--config", "/dev/null",
        "--transfers", "1", "--retries", "1", "--low-level-retries", "1", *more,
    ]  # fmt: skip


def settle(home: Path) -> None:
    """Return once the server has put away what it was receiving when the link was cut."""
    until = time.monotonic() + SECONDS
    while any(path.name.startswith(".") for path in home.iterdir()):
        assert time.monotonic() < until
        time.sleep(0.02)


def say(total_bytes: int, again_bytes: int) -> None:
    """Print what `-rP` shows: the figures of docs/how-to/bring-results-home.md."""
    print(f"{total_bytes} bytes, cut after {CUT_AFTER_BYTES}, {CUT_AFTER_BYTES + again_bytes - total_bytes} sent twice")


def gather(site: Folders, *folders: Path) -> Path:
    return homecoming.gather_pieces(site["consignor"], folders, discard, consume=False).outbox


def lacking_bytes(site: Folders) -> int:
    """Return the bytes of the pieces that `gather` asks for."""
    document = decode(Pieces, (site["consignor"].work / "pieces" / "pieces.json").read_bytes(), "pieces.json")
    sizes = {piece.sha256: piece.bytes for file in document.files for piece in file.pieces}
    return sum(sizes[name] for name in (site["consignor"].root / "missing-pieces.txt").read_text().split())


def assert_home(site: Folders, inbox: Path) -> None:
    assert contents(inbox) == contents(site["consignee"].root / "outbox")
    homecoming.accept(site["consignor"], inbox, discard)
    weights = site["consignor"].root / "results" / WEIGHTS
    assert weights.read_bytes() == (site["consignor"].root.parent / "made" / WEIGHTS).read_bytes()


def test_rsync_goes_on_within_a_piece_after_the_link_was_cut(site: Folders, tmp_path: Path) -> None:
    needs("rsync")
    source, home = site["consignee"].root / "outbox-pieces", tmp_path / "home"
    home.mkdir()
    total_bytes = sum(path.stat().st_size for path in source.iterdir())
    with rsync_daemon(home, tmp_path) as link:
        # The list goes first: it says what is lacking.
        send(rsync(source, link, "--include=pieces.json*", "--exclude=*"), ends_well=True)
        link.mend(CUT_AFTER_BYTES)
        send(rsync(source, link), ends_well=False)
        assert link.is_cut
        settle(home)
        with pytest.raises(PiecesIncomplete, match="1 cut"):
            gather(site, home)
        link.mend()
        missing = site["consignor"].root / "missing-pieces.txt"
        send(rsync(source, link, "--ignore-times", f"--files-from={missing}"), ends_well=True)
        again_bytes = link.carried_bytes
    say(total_bytes, again_bytes)
    # What was sent twice is less than a piece: rsync takes up the one that was cut. A whole outbox would be all of it.
    assert CUT_AFTER_BYTES + again_bytes - total_bytes < PIECE_BYTES // 2
    assert_home(site, gather(site, home))


def test_rclone_sends_no_whole_piece_twice_after_the_link_was_cut(site: Folders, tmp_path: Path) -> None:
    needs("rclone")
    source, home = site["consignee"].root / "outbox-pieces", tmp_path / "home"
    home.mkdir()
    total_bytes = sum(path.stat().st_size for path in source.iterdir())
    with webdav(home) as link:
        send(rclone(source, link, "--include", "pieces.json*"), ends_well=True)
        link.mend(CUT_AFTER_BYTES)
        send(rclone(source, link), ends_well=False)
        assert link.is_cut
        settle(home)
        with pytest.raises(PiecesIncomplete):
            gather(site, home)
        lacking = lacking_bytes(site)
        assert lacking < total_bytes - PIECE_BYTES
        link.mend()
        missing = site["consignor"].root / "missing-pieces.txt"
        send(rclone(source, link, "--ignore-times", "--files-from", str(missing)), ends_well=True)
        again_bytes = link.carried_bytes
    say(total_bytes, again_bytes)
    # At most the piece that was cut, and what HTTP says beside it.
    assert CUT_AFTER_BYTES + again_bytes - total_bytes < PIECE_BYTES + MIB // 4
    assert_home(site, gather(site, home))


def test_a_transfer_of_the_whole_outbox_over_the_same_link_begins_anew(site: Folders, tmp_path: Path) -> None:
    """What the pieces are for: rclone cannot take up a file that was cut."""
    needs("rclone")
    source, home = site["consignee"].root / "outbox", tmp_path / "home"
    home.mkdir()
    total_bytes = sum(path.stat().st_size for path in source.iterdir())
    with webdav(home) as link:
        link.mend(CUT_AFTER_BYTES)
        send(rclone(source, link), ends_well=False)
        link.mend()
        send(rclone(source, link), ends_well=True)
        again_bytes = link.carried_bytes
    say(total_bytes, again_bytes)
    assert CUT_AFTER_BYTES + again_bytes - total_bytes > CUT_AFTER_BYTES - MIB // 4


def test_pieces_by_rsync_and_by_rclone_make_one_outbox(site: Folders, tmp_path: Path) -> None:
    needs("rsync")
    needs("rclone")
    source, by_rsync, by_rclone = site["consignee"].root / "outbox-pieces", tmp_path / "rsync", tmp_path / "rclone"
    by_rsync.mkdir()
    by_rclone.mkdir()
    with rsync_daemon(by_rsync, tmp_path) as link:
        send(rsync(source, link, "--include=pieces.json*", "--exclude=*"), ends_well=True)
        link.mend(CUT_AFTER_BYTES)
        send(rsync(source, link), ends_well=False)
        settle(by_rsync)
    with pytest.raises(PiecesIncomplete):
        gather(site, by_rsync)
    with webdav(by_rclone) as link:
        missing = site["consignor"].root / "missing-pieces.txt"
        send(rclone(source, link, "--files-from", str(missing)), ends_well=True)
    assert_home(site, gather(site, by_rsync, by_rclone))
