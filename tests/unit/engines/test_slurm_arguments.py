"""Which options of a user `sbatch` is given, and which are refused before anything is submitted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.engines.slurm_arguments import require_usable
from packtrain.errors import VoyageFileError

USABLE = [
    [],
    ["--partition=long", "--gres=gpu:8", "--time=2-00:00:00"],
    ["-p", "long", "-t", "60", "--nodes", "3"],
    ["-plong", "-HQ", "--exclude=n1,n2", "--wait-all-nodes=1", "--nodelist=n1"],
    ["--signal=B:USR1@700"],
    ["--signal", "RB:sigusr1@700"],
    ["--exclusive", "--account=a=b", "--comment=--array", "--verbose", "-Hp", "long"],
]
REFUSED_ALWAYS = [
    ["--array=1-3"],
    ["--arr", "1-3"],
    ["-a1-3"],
    ["-HWp", "long"],
    ["--wait"],
    ["-W"],
    ["--job-name=mine"],
    ["--job=mine"],
    ["-J", "mine"],
    ["--clusters=other"],
    ["-Mother"],
    ["--test-only"],
    ["--wrap=rm -rf /"],
    ["--uid=0"],
    ["-V"],
    ["other.sh"],
    ["--partition=long", "other.sh"],
    ["-plong", "other.sh"],
    ["-H", "other.sh"],
    ["-p", "long", "other.sh"],
    ["-p", "long", "--", "other.sh"],
]
REFUSED_IN_TRAINING = [
    ["--no-requeue"],
    ["--no-req"],
    ["--ntasks=8"],
    ["-n8"],
    ["--ntasks-per-node", "8"],
    ["--signal=USR1@80"],
    ["--signal=B:TERM@80"],
    ["--signal", "USR2"],
    ["--sig=B:USR2@80"],
]


@pytest.mark.parametrize("arguments", USABLE, ids=" ".join)
def test_what_a_site_asks_for_is_let_through(arguments: list[str]) -> None:
    require_usable(arguments, "[site]", is_training=True)
    require_usable(arguments, "[prepare]")


@pytest.mark.parametrize("arguments", REFUSED_ALWAYS, ids=" ".join)
@pytest.mark.parametrize("is_training", [True, False])
def test_what_takes_a_job_out_of_our_hands_is_refused(arguments: list[str], *, is_training: bool) -> None:
    with pytest.raises(VoyageFileError) as caught:
        require_usable(arguments, "[site]", is_training=is_training)
    assert caught.value.found in arguments
    assert caught.value.where == "voyage.toml, [site] slurm_arguments"
    assert caught.value.hint


@pytest.mark.parametrize("arguments", REFUSED_IN_TRAINING, ids=" ".join)
def test_what_a_training_cannot_do_without_is_not_taken_away(arguments: list[str]) -> None:
    require_usable(arguments, "[prepare]")
    with pytest.raises(VoyageFileError):
        require_usable(arguments, "[site]", is_training=True)


@given(
    st.lists(st.text(alphabet="-=:@aJMWnHpx", max_size=8), max_size=5),
    st.sampled_from(["--array", "--wait", "--job-name"]),
    st.booleans(),
)
def test_any_words_are_let_through_or_refused_and_nothing_hides_a_refused_one(
    before: list[str], refused: str, is_training: bool
) -> None:
    with pytest.raises(VoyageFileError):
        require_usable([*before, refused], "[site]", is_training=is_training)
