"""`packtrain flags show`: what this party can answer comes first, and what would close it stands at the end."""

from pathlib import Path

from command_parts import packtrain
from packtrain.errors import AdmissionHeld
from packtrain.events import discard
from packtrain.stages import admit, flags
from voyage_papers import Papers, arrived


def judged_twice(root: Path) -> Papers:
    papers = arrived(root)
    flags.judge(papers.consignor, discard)
    (papers.operator.root / "site.toml").write_text('[levels]\nFLAG = "HOLD"\n')
    try:
        admit.admit(papers.operator, papers.dossier(), papers.mounted(), discard)
    except AdmissionHeld:
        return papers
    raise AssertionError("the policy holds what was not screened")


def test_the_flags_of_this_party_come_first_and_what_closes_them_last(tmp_path: Path) -> None:
    papers = judged_twice(tmp_path)

    assert '"packtrain admit" runs the rules at the site' in packtrain("flags", "--voyage", papers.operator.root).stderr
    at_the_site = packtrain("flags", "show", "--voyage", papers.operator.root).stdout
    assert at_the_site.startswith("operator, admission: ")
    assert "\nconsignor, declaration: " in at_the_site
    ends = at_the_site.rstrip("\n").splitlines()
    assert ends[-1] == '  packtrain flags answer RULE --person "..." --because "..."'
    assert '  packtrain screen show, "screen answer"' in ends
    assert "  packtrain rules groups add FILE" in ends

    assert packtrain("flags", "show", "--voyage", papers.consignor.root).stdout.startswith("consignor, declaration: ")
