"""The whole rehearsal by somebody who is not root: box, small disk and all. As root it is the tests beside this one."""

import json

import pytest

from ordinary_user import folder_of_nobody, run_as_nobody, why_not
from packtrain.training import checks

pytestmark = pytest.mark.long

SCRIPT = """
import json, os, sys
from pathlib import Path
from kit_parts import make_packtrain_wheel
from packtrain.devices.directory import DirectoryDrive
from packtrain.documents.ready import Ready
from packtrain.events import discard
from packtrain.stages import rehearse
from rehearsal_parts import make_voyage

here = Path(sys.argv[1])
make_packtrain_wheel(here / "wheels")
provided = ("click", "cryptography", "msgspec", "pyeclib", "rfc8785", "rich", "xxhash")
folder = make_voyage(here / "voyage", variant="stops when asked", wheels=here / "wheels", provided=provided)
receipt = rehearse.rehearse(folder, DirectoryDrive, discard)
sheet = folder.read_signed(Ready)
print(json.dumps({"uid": os.getuid(), "box": sheet.box, "verdicts": {c.clause: c.verdict for c in sheet.clauses}}))
"""


@pytest.mark.namespaces
@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_an_ordinary_user_rehearses_like_root():
    with folder_of_nobody() as folder:
        done = run_as_nobody(SCRIPT, folder, [str(folder)])
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["uid"] != 0
    assert "unshare --user --net" in told["box"]
    expected = dict.fromkeys(checks.CLAUSES, "kept") | {checks.HANGS: "not shown", checks.EXPORTS: "not shown"}
    assert told["verdicts"] == expected
