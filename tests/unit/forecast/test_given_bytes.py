"""How much a folder holds: what cannot be read is not silently missing."""

import os
from pathlib import Path

import pytest

from ordinary_user import NOBODY, folder_of_nobody, why_not
from packtrain.errors import SourceUnreadable
from packtrain.forecast.given_bytes import sizes


def _in_the_eyes_of_nobody(root: Path) -> int:
    """Count in a child that is an ordinary user; return 0 where all was counted, 1 where something was missed."""
    child = os.fork()
    if child == 0:
        try:
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            assert sum(sizes(root, "")) == 3
            sum(sizes(root, "", all_of_it=True))
            os._exit(0)
        except SourceUnreadable as error:
            os._exit(1 if error.where == str(root / "shut") else 2)
        finally:
            os._exit(3)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_a_folder_that_cannot_be_read_is_named_where_all_of_it_is_asked_for() -> None:
    with folder_of_nobody() as root:
        (root / "open").mkdir()
        (root / "open" / "file").write_bytes(b"abc")
        assert _in_the_eyes_of_nobody(root) == 0
        (root / "shut").mkdir(0o700)
        (root / "shut" / "file").write_bytes(b"abcdef")
        assert _in_the_eyes_of_nobody(root) == 1
        assert sum(sizes(root, "", all_of_it=True)) == 9
