"""What the Slurm engine of `train` decides and writes, without Slurm."""

import json
import math
import os
import shutil
import signal
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from packtrain.digest import sha256_tree
from packtrain.engines.crew import MISFIT, CrewNews, CrewStep
from packtrain.engines.network_interfaces import interface_towards
from packtrain.engines.shared_folders import mark_folder
from packtrain.engines.slurm_batch import _REASONS, run_attempt
from packtrain.engines.slurm_commands import ENDED
from packtrain.engines.slurm_crews import SlurmCrews
from packtrain.engines.slurm_events import (
    EventWriter,
    all_entries,
    is_recorded,
    last_step,
    record_of_left,
    step_record,
)
from packtrain.engines.slurm_place import (
    JobOrder,
    Lines,
    Place,
    Sign,
    SignReader,
    SignWriter,
    Standing,
    Tail,
    Told,
    Verdict,
    decode,
    encode,
    error_of,
    read,
    write,
)
from packtrain.engines.slurm_script import folder_options, job_script
from packtrain.engines.slurm_states import ended_in_words, stands_still
from packtrain.engines.slurm_task import run_task
from packtrain.engines.slurm_training import SlurmEngine
from packtrain.errors import ClusterUnreachable, HostUnfit, MissingDependency, TrainingFailed, VoyageFileError
from packtrain.events import Event, Notice, Progress, TrainingStep, WorkersStarted, discard
from packtrain.ports import AttemptRecord, HostsWanted, TrainingJob
from packtrain.training.kit_steps import attempts_of


def job_of(folder: Path, **changes: object) -> TrainingJob:
    job = TrainingJob(
        python=Path("/env/bin/python"),
        command=("train.py", "--steps", "4"),
        program_folder=folder / "program",
        environment={"A": "b"},
        checkpoints=folder / "checkpoints",
        log_folder=folder / "logs",
        num_workers=2,
        hosts=HostsWanted(least=2, most=4),
    )
    return replace(job, **changes)  # pyright: ignore[reportArgumentType]


# --- the script


def test_the_script_asks_for_whole_hosts_and_a_warning(tmp_path: Path) -> None:
    lines = job_script(tmp_path, job_of(tmp_path), "ab", "/env/bin/python").splitlines()
    assert lines[0] == "#!/bin/sh"
    assert {"#SBATCH --nodes=2-4", "#SBATCH --exclusive", "#SBATCH --open-mode=append"} < {*lines}
    assert "#SBATCH --signal=B:USR1@80" in lines
    assert lines[-1] == f"exec /env/bin/python -m packtrain run-attempt {tmp_path} ab"
    lines = job_script(tmp_path, job_of(tmp_path, hosts=HostsWanted(least=3)), "n", "python").splitlines()
    assert "#SBATCH --nodes=3" in lines


def test_a_path_with_anything_in_it_stays_one_word_of_the_script(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" $c %j'
    place = folder / "work" / "train-slurm"
    lines = job_script(place, job_of(folder), "n", "/a python").splitlines()
    assert folder_options(place, folder / "slurm.log") == [
        f"--chdir={place}",
        f'--output={tmp_path}/a "b" $c %%j/slurm.log',
    ]
    assert folder_options(place, Path("/a\\b/%j"))[1] == "--output=/a\\\\b/%j"
    assert lines[-1] == f"exec '/a python' -m packtrain run-attempt '{place}' n"


# --- what is written and read


def test_an_order_is_read_as_it_was_written(tmp_path: Path) -> None:
    job = job_of(tmp_path, hosts=HostsWanted(2, None, host_folder=Path("/x")))
    shared = mark_folder(tmp_path / "a" / "b" / "hosts", [], [])
    order = JobOrder("ab", job, "0" * 64, shared, 12.5, {"load": "1"})
    write(tmp_path / "order.json", order)
    assert read(tmp_path / "order.json", JobOrder) == order
    assert order.is_same_as(job, {"load": "1"})
    assert not order.is_same_as(job, {"load": "2"})
    assert not order.is_same_as(replace(job, max_restarts=9), {"load": "1"})
    (tmp_path / "order.json").write_text('{"token": 3}')
    assert read(tmp_path / "order.json", JobOrder) is None
    assert read(tmp_path / "nothing", JobOrder) is None


@pytest.mark.parametrize("payload", [b"[" * 1000, b"[" * 500_000, b'{"host":' * 5000])
def test_what_is_nested_too_deeply_is_no_message(tmp_path: Path, payload: bytes) -> None:
    with pytest.raises(ValueError):
        decode(payload, Told)
    (tmp_path / "sign").write_bytes(payload)
    SignReader(tmp_path / "sign").look()
    assert read(tmp_path / "sign", JobOrder) is None


@pytest.mark.parametrize("change", ["another file", "no folder"])
def test_a_host_with_another_program_takes_no_part(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    place, program = Place(tmp_path / "work" / "job"), tmp_path / "program"
    place.root.mkdir(parents=True)
    program.mkdir()
    (program / "train.py").write_text("")
    shared = mark_folder(place.root / "hosts", [], [])
    write(place.order, JobOrder("ab", job_of(tmp_path), sha256_tree(program), shared, 0.0))
    place.make_attempt(1, 1)
    if change == "no folder":
        shutil.rmtree(program)
    else:
        (program / "other.py").write_text("")
    monkeypatch.setattr(os, "environ", {**os.environ, "SLURM_NODEID": "0", "SLURMD_NODENAME": "n1"})
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(HostUnfit, match="another program"):
            run_task(place.root, 1)
    finally:
        signal.signal(signal.SIGTERM, before)
    *_, last = Tail(place.told(1, 0)).lines()
    told = decode(last, Told)
    assert told.has_ended
    assert (told.error["error"], told.error["where"]) == ("HostUnfit", "n1")


def test_a_task_that_a_person_starts_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_NODEID", raising=False)
    place = Place(tmp_path)
    write(place.order, JobOrder("ab", job_of(tmp_path), "0" * 64, mark_folder(tmp_path / "hosts", [], []), 0.0))
    with pytest.raises(ClusterUnreachable, match="a job of Slurm starts"):
        run_task(tmp_path, 1)


def test_an_attempt_that_a_person_starts_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SLURM_JOB_ID", raising=False)
    monkeypatch.setenv("SLURM_JOB_NODELIST", "n1")
    write(
        Place(tmp_path).order, JobOrder("ab", job_of(tmp_path), "0" * 64, mark_folder(tmp_path / "hosts", [], []), 0.0)
    )
    with pytest.raises(ClusterUnreachable, match="a job of Slurm starts") as caught:
        run_attempt(tmp_path, "ab")
    assert caught.value.expected == "the variable SLURM_JOB_ID"
    assert caught.value.hint


def test_news_with_a_loss_that_is_no_number_come_through() -> None:
    news = CrewNews(2, (7, 8), (CrewStep(3, math.nan, 8, 0.1),), (None, -9), num_saves=2)
    found = decode(encode(Told("n1", news=news)), Told).news
    assert found is not None
    assert math.isnan(found.steps[0].loss or 0.0)
    assert replace(found, steps=()) == replace(news, steps=())


@given(st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b"")), max_size=30), st.data())
def test_a_tail_yields_each_whole_line_once_wherever_the_file_was_cut(lines: list[bytes], data: st.DataObject) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "told"
        whole = b"".join(line + b"\n" for line in lines)
        cut = data.draw(st.integers(0, len(whole)))
        path.write_bytes(whole[:cut])
        tail = Tail(path)
        found = list(tail.lines())
        path.write_bytes(whole)
        assert [*found, *tail.lines()] == lines
        assert list(Tail(path, tail.offset).lines()) == []


def test_a_torn_line_is_ended_and_does_not_swallow_the_next(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b"one\ntor")
    lines = Lines(tmp_path / "log")
    lines.write(b"two")
    assert list(Tail(tmp_path / "log").lines()) == [b"one", b"tor", b"two"]


def test_events_are_told_to_a_later_follower_and_others_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    writer = EventWriter(path)
    record = AttemptRecord(1, 0.5, 2.5, "every worker ended", None, ("n1", "n2"))
    told = [WorkersStarted(1, (4, 5), ("n1", "n2")), TrainingStep(1, 7, 0.5, 8), record, Verdict("done", 3.0)]
    for entry in told:
        writer.write(entry)
    writer(Progress("train", "not for followers"))
    with path.open("ab") as stream:
        stream.write(
            b'{"at": 1, "kind": "Popen", "entry": {}}\n[]\nnot json\n{"at": 1, "kind": "Verdict", "entry": 3}\n'
        )
    found = list(all_entries(path))
    assert [each.entry for each in found] == told
    step = step_record(found[1], found[1].at - 2)
    assert step is not None
    assert (step.step, step.elapsed_seconds) == (7, pytest.approx(2))
    assert step_record(found[0], 0.0) is None


def test_signs_of_life_are_silence_when_they_do_not_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = Place(tmp_path)
    place.make_attempt(2, 3)
    writer, reader = SignWriter(place.batch_sign(2)), SignReader(place.batch_sign(2))
    now = 1000.0
    monkeypatch.setattr("packtrain.engines.slurm_place.time.monotonic", lambda: now)
    writer.write(Sign(1, 2, "go", "10.0.0.1", 29400, 2))
    assert reader.look() == 0
    assert reader.sign == Sign(1, 2, "go", "10.0.0.1", 29400, 2)
    now += 5
    assert reader.look() == 5
    place.batch_sign(2).write_bytes(b'{"count": 2, "att')  # it is just being written over
    assert reader.look() == 5
    writer.write(Sign(2, 2, "end"))
    assert reader.look() == 0
    place.batch_sign(2).unlink()
    now += 3
    assert reader.look() == 3


def test_an_error_of_a_host_is_raised_as_it_was_there() -> None:
    error = HostUnfit("this host does not see a source", where="n2", expected="/data", hint="mount it")
    found = error_of(json.loads(encode(Verdict("failed", 1.0, error.to_dict())))["error"])
    assert type(found) is HostUnfit
    assert found.to_dict() == error.to_dict()
    assert type(error_of({"error": "SystemExit", "what": "x"})) is TrainingFailed


# --- how Slurm's words are told


def test_a_job_that_waits_for_a_hand_says_for_which() -> None:
    assert stands_still("47", "PENDING", "JobHeldUser") == "is held: scontrol release 47"
    assert stands_still("47", "PENDING", "launch failed requeued held").endswith("scontrol release 47")
    assert stands_still("47", "SUSPENDED", "None") == "is suspended by the site"
    assert stands_still("47", "PENDING", "Resources") == ""
    assert stands_still("47", "RUNNING", "None") == ""


def test_the_end_of_a_job_is_told_in_words() -> None:
    assert ended_in_words("TIMEOUT", "TimeLimit") == "its time ran out before it could save"
    assert "slurmd.log" in ended_in_words("FAILED", "JobLaunchFailure")
    assert ended_in_words("BOOT_FAIL", "None") == "boot fail"


@pytest.mark.parametrize("state", sorted(ENDED))
def test_every_end_by_slurm_is_a_reason_that_goes_home(tmp_path: Path, state: str) -> None:
    reasons = [f"Slurm ended it ({state})", *_REASONS.values(), "the host of rank 0 was lost: it ended without a word"]
    lines = [asdict(AttemptRecord(1, 0.0, 1.0, reason, None)) for reason in reasons]
    (tmp_path / "attempts.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    assert [each.reason for each in attempts_of(tmp_path)] == reasons


def test_an_attempt_whose_end_nobody_wrote_down_is_recorded_as_ended_now(tmp_path: Path) -> None:
    place = Place(tmp_path)
    order = JobOrder("ab", job_of(tmp_path), "0" * 64, mark_folder(tmp_path / "hosts", [], []), time.time() - 60)
    writer = EventWriter(place.events)
    writer.write(TrainingStep(2, 5, None, None))
    writer.write(TrainingStep(3, 9, None, None))
    left = Standing(attempt=2, begun=order.submitted + 10, hosts=("n1", "n2"), has_ended=False)
    record = record_of_left(left, order, "Slurm ended it (CANCELLED)")
    assert (record.attempt, record.hosts, record.reason) == (2, ("n1", "n2"), "Slurm ended it (CANCELLED)")
    assert record.started_seconds == 10 <= record.ended_seconds
    assert [last_step(place, number) for number in (1, 2, 3)] == [-1, 5, 9]
    assert not is_recorded(place, 2)
    writer.write(record)
    assert is_recorded(place, 2)
    assert not is_recorded(place, 3)


def test_a_job_that_another_submission_replaced_touches_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = Place(tmp_path / "place")
    order = JobOrder("ab", job_of(tmp_path), "0" * 64, mark_folder(tmp_path / "hosts", [], []), time.time())
    write(place.order, order)
    monkeypatch.setenv("SLURM_JOB_ID", "47")
    with pytest.raises(TrainingFailed, match="another job was submitted"):
        run_attempt(place.root, "other")
    assert [path.name for path in place.root.iterdir()] == ["order.json"]


# --- before anything is submitted


def test_folders_of_hosts_and_missing_commands_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in ("sbatch", "squeue", "scancel", "scontrol"):
        (commands / name).write_text("#!/bin/sh\nexit 1\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(commands))
    engine = SlurmEngine(tmp_path / "place", (), {}, discard)
    with pytest.raises(VoyageFileError, match="folders of their own"):
        engine.run(job_of(tmp_path, hosts=HostsWanted(host_folder=Path("/local"))), discard)
    assert not (tmp_path / "place").exists()
    with pytest.raises(VoyageFileError, match="cannot work with"):
        SlurmEngine(tmp_path / "place", ("--no-requeue",), {}, discard)
    (commands / "scontrol").unlink()
    with pytest.raises(MissingDependency, match="no scontrol"):
        SlurmEngine(tmp_path / "place", (), {}, discard)


def test_a_job_is_of_the_program_that_was_checked_and_gets_nothing_that_is_withheld(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands = tmp_path / "bin"
    commands.mkdir()
    # A Slurm that takes a job and then, asked for it, knows nothing of it any more.
    for name, body in {
        "sbatch": f'env > "{tmp_path}/env"\necho 7',
        "squeue": "true",
        "scancel": "true",
        "scontrol": "true",
    }.items():
        (commands / name).write_text(f"#!/bin/sh\n{body}\n")
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}:{os.environ['PATH']}")
    monkeypatch.setenv("OF_THE_KEY", "four words of dice")
    monkeypatch.setenv("OF_THE_SITE", "yes")
    monkeypatch.setattr("packtrain.engines.slurm_training._POLL_SECONDS", 0.01)
    monkeypatch.setattr("packtrain.engines.slurm_training._ASK_SECONDS", 0.0)
    program = tmp_path / "program"
    program.mkdir()
    (program / "train.py").write_text("another than was checked")
    place, orders = Place(tmp_path / "work" / "job"), list[JobOrder | None]()

    def sink(event: Event) -> None:
        if isinstance(event, Notice) and "job 7 on" in event.text:
            orders.append(read(place.order, JobOrder))

    with pytest.raises(TrainingFailed, match="Slurm ended job 7"):
        SlurmEngine(place.root, (), {}, discard).run(job_of(tmp_path, program="0" * 64, withheld=("OF_THE_KEY",)), sink)
    assert [order.program for order in orders if order is not None] == ["0" * 64]
    told = (tmp_path / "env").read_text().splitlines()
    assert "OF_THE_SITE=yes" in told
    assert not [line for line in told if line.startswith("OF_THE_KEY")]


def test_the_way_to_an_address_of_ones_own_is_its_interface() -> None:
    assert interface_towards("127.0.0.1") == "lo"
    assert interface_towards("not an address") == "lo"


def test_a_record_is_what_the_other_engines_write() -> None:
    record = AttemptRecord(2, 1.0, 2.0, "it was interrupted", None, ("n1",), None, "")
    assert decode(encode(record), AttemptRecord) == record
    assert json.loads(encode(record)) == json.loads(json.dumps(asdict(record)))


@pytest.mark.parametrize("told", [CrewNews(0), CrewNews(2, exit_codes=(0, 0, 0)), CrewNews(2, pids=(7,))])
def test_a_task_whose_news_are_not_those_of_its_workers_is_a_host_that_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, told: CrewNews
) -> None:
    monkeypatch.setattr("packtrain.engines.slurm_crews._LOOK_SECONDS", 0.0)
    place = Place(tmp_path / "job")
    place.root.mkdir()
    shared = mark_folder(tmp_path / "a" / "b" / "hosts", [], [])
    order = JobOrder("ab", job_of(tmp_path), "0" * 64, shared, 0.0)
    crews = SlurmCrews(place, order, 1, ("n1", "n2"), lambda is_taken: None, discard)
    for host, news in enumerate((CrewNews(0, (1, 2)), told)):
        place.told(1, host).write_bytes(encode(Told(f"n{host + 1}", news=news)) + b"\n")
    first, lost = crews.news(0)
    assert (first.pids, first.lost) == ((1, 2), "")
    assert (lost.first_rank, lost.lost) == (2, MISFIT)
    assert lost.detail
    place.told(1, 1).open("ab").write(encode(Told("n2", news=CrewNews(2, (3, 4)))) + b"\n")
    assert list(crews.news(0)) == []
