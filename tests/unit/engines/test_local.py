"""The local engine with real processes: small programs that obey or break the contract in one way each."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from dataclasses import replace
from pathlib import Path

import pytest

from packtrain.engines import crew
from packtrain.engines.local import LocalEngine
from packtrain.errors import TrainingFailed, WorkerStalled
from packtrain.events import Event, TrainingStep, WorkerLost, WorkersStarted, discard
from packtrain.ports import TrainingJob
from packtrain.training.kit_steps import attempts_of

HEAD = """
import json, os, pathlib, signal, sys, time
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
ckpt = pathlib.Path(sys.argv[1])
done = pathlib.Path(os.environ["PACKTRAIN_DONE"])
def say(step, loss=1.0):
    if rank == 0:
        print(json.dumps({"step": step, "loss": loss, "samples": 8}), flush=True)
def first_time():
    mark = ckpt / f"seen-{rank}"
    was = mark.exists(); mark.touch()
    return not was
"""


def job_of(
    tmp_path: Path,
    body: str,
    *,
    num_workers: int = 2,
    max_restarts: int = 2,
    stall_seconds: float = 30.0,
    grace_seconds: float = 5.0,
) -> TrainingJob:
    program = tmp_path / "program"
    program.mkdir(exist_ok=True)
    (program / "train.py").write_text(HEAD + textwrap.dedent(body))
    return TrainingJob(
        python=Path(sys.executable),
        command=("train.py", str(tmp_path / "checkpoints")),
        program_folder=program,
        environment={"EXTRA": "yes"},
        checkpoints=tmp_path / "checkpoints",
        log_folder=tmp_path / "logs",
        num_workers=num_workers,
        max_restarts=max_restarts,
        stall_seconds=stall_seconds,
        grace_seconds=grace_seconds,
    )


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_run_reports_every_step_of_rank_0(tmp_path: Path) -> None:
    run = LocalEngine().run(job_of(tmp_path, "say(1, 2.5); say(2, 1.5)"), discard)
    assert [(step.step, step.loss, step.num_samples) for step in run.steps] == [(1, 2.5, 8), (2, 1.5, 8)]
    assert run.num_restarts == 0


def test_workers_get_the_environment_of_torchrun(tmp_path: Path) -> None:
    body = """
    names = ["RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT", "EXTRA"]
    (ckpt / f"env-{rank}").write_text(json.dumps({name: os.environ[name] for name in names}))
    """
    LocalEngine().run(job_of(tmp_path, body), discard)
    found = json.loads((tmp_path / "checkpoints" / "env-1").read_text())
    port = found.pop("MASTER_PORT")
    assert port == json.loads((tmp_path / "checkpoints" / "env-0").read_text())["MASTER_PORT"]
    assert found == {
        "RANK": "1",
        "LOCAL_RANK": "1",
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "EXTRA": "yes",
    }


def test_workers_do_not_get_what_is_withheld(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OF_THE_KEY", "four words of dice")
    monkeypatch.setenv("OF_THE_SITE", "yes")
    body = """
    (ckpt / f"env-{rank}").write_text(json.dumps([os.environ.get(name) for name in ("OF_THE_KEY", "OF_THE_SITE")]))
    """
    LocalEngine().run(replace(job_of(tmp_path, body), withheld=("OF_THE_KEY",)), discard)
    assert json.loads((tmp_path / "checkpoints" / "env-0").read_text()) == [None, "yes"]


def test_a_killed_worker_is_followed_by_another_attempt_on_another_port(tmp_path: Path) -> None:
    body = """
    with (ckpt / "ports").open("a") as out:
        out.write(os.environ["MASTER_PORT"] + "\\n")
    say(1)
    if rank == 1 and first_time():
        os.kill(os.getpid(), signal.SIGKILL)
    if rank == 1:
        (ckpt / "second-life").touch()
    while not (ckpt / "second-life").exists():
        time.sleep(0.01)
    say(2)
    """
    events: list[Event] = []
    run = LocalEngine().run(job_of(tmp_path, body), events.append)
    assert run.num_restarts == 1
    lost = [event for event in events if isinstance(event, WorkerLost)]
    assert [(event.attempt, event.rank) for event in lost] == [(1, 1)]
    assert "SIGKILL" in lost[0].reason
    assert len(set((tmp_path / "checkpoints" / "ports").read_text().split())) == 2


def test_attempts_are_recorded_one_line_each(tmp_path: Path) -> None:
    body = "sys.exit(3) if first_time() and rank == 0 else say(1)"
    LocalEngine().run(job_of(tmp_path, body, num_workers=1), discard)
    lines = [json.loads(line) for line in (tmp_path / "logs" / "attempts.jsonl").read_text().splitlines()]
    assert [(line["attempt"], line["lost_rank"]) for line in lines] == [(1, 0), (2, None)]
    assert lines[0]["reason"] == "rank 0 ended with exit code 3"
    # Provenance takes an engine's words alone, and so must know them.
    assert [each.reason for each in attempts_of(tmp_path / "logs")] == [line["reason"] for line in lines]


def test_a_second_run_does_not_write_over_the_logs_of_the_first(tmp_path: Path) -> None:
    job = job_of(tmp_path, "say(1)", num_workers=1)
    LocalEngine().run(job, discard)
    run = LocalEngine().run(job, discard)
    assert run.attempts[0].attempt == 2
    assert {path.name for path in job.log_folder.glob("*.log")} == {"attempt-1-rank-0.log", "attempt-2-rank-0.log"}


def test_a_program_that_always_fails_is_tried_as_often_as_asked_and_its_log_named(tmp_path: Path) -> None:
    job = job_of(tmp_path, "raise RuntimeError('no such layer')", num_workers=1, max_restarts=1)
    with pytest.raises(TrainingFailed) as caught:
        LocalEngine().run(job, discard)
    assert "2 attempts" in caught.value.what
    assert caught.value.where == str(tmp_path / "logs" / "attempt-2-rank-0.log")
    assert caught.value.found == "RuntimeError: no such layer"


def test_an_interpreter_that_is_not_there_is_said_in_words(tmp_path: Path) -> None:
    job = job_of(tmp_path, "", num_workers=1, max_restarts=0)
    object.__setattr__(job, "python", tmp_path / "no-python")
    with pytest.raises(TrainingFailed) as caught:
        LocalEngine().run(job, discard)
    assert "no-python" in (caught.value.found or "")


def test_a_worker_without_progress_is_ended_by_the_watchdog(tmp_path: Path) -> None:
    job = job_of(tmp_path, "say(1); time.sleep(60)", num_workers=1, max_restarts=0, stall_seconds=0.4)
    started = time.monotonic()
    with pytest.raises(WorkerStalled):
        LocalEngine().run(job, discard)
    assert time.monotonic() - started < 10


def test_a_program_without_step_lines_shows_progress_by_saving(tmp_path: Path) -> None:
    body = """
    for number in range(8):
        (ckpt / f"step-{number}").touch()
        time.sleep(0.2)
    """
    job = job_of(tmp_path, body, num_workers=1, max_restarts=0, stall_seconds=0.8)
    assert LocalEngine().run(job, discard).num_restarts == 0


def test_a_worker_that_hangs_at_exit_after_the_done_mark_counts_as_done(tmp_path: Path) -> None:
    body = "say(1); done.touch() if rank == 0 else None; time.sleep(60)"
    run = LocalEngine().run(job_of(tmp_path, body, grace_seconds=0.3), discard)
    assert run.num_restarts == 0
    assert run.attempts[0].reason.startswith("the program had marked itself done")
    assert attempts_of(tmp_path / "logs")[0].reason == run.attempts[0].reason


def test_a_worker_that_hangs_at_exit_without_a_done_mark_is_not_done(tmp_path: Path) -> None:
    body = "say(1); time.sleep(60) if rank == 1 else None"
    with pytest.raises(WorkerStalled):
        LocalEngine().run(job_of(tmp_path, body, max_restarts=0, stall_seconds=0.5, grace_seconds=0.3), discard)


def test_a_worker_that_saved_and_stopped_is_started_again(tmp_path: Path) -> None:
    run = LocalEngine().run(job_of(tmp_path, "sys.exit(75) if first_time() else say(1)", num_workers=1), discard)
    assert run.attempts[0].reason == "rank 0 was asked to stop, and saved"
    assert attempts_of(tmp_path / "logs")[0].reason == run.attempts[0].reason
    assert run.num_restarts == 1


def test_failures_are_counted_in_a_row_and_not_over_the_whole_run(tmp_path: Path) -> None:
    body = """
    lives = len(list(ckpt.glob("life-*")))
    (ckpt / f"life-{lives}").touch()
    say(lives + 1)
    sys.exit(1 if lives < 6 else 0)
    """
    run = LocalEngine().run(job_of(tmp_path, body, num_workers=1, max_restarts=1), discard)
    assert run.num_restarts == 6


def test_a_program_that_fails_at_one_step_again_and_again_ends_the_run(tmp_path: Path) -> None:
    body = """
    lives = len(list(ckpt.glob("life-*")))
    (ckpt / f"life-{lives}").touch()
    for step in range(lives, 4):
        say(step)
    sys.exit(1)
    """
    with pytest.raises(TrainingFailed, match="in 3 attempts"):
        LocalEngine().run(job_of(tmp_path, body, num_workers=1, max_restarts=2), discard)


def test_a_program_that_always_saves_and_stops_without_a_step_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(TrainingFailed, match="in 2 attempts"):
        LocalEngine().run(job_of(tmp_path, "sys.exit(75)", num_workers=1, max_restarts=1), discard)


def test_workers_whom_somebody_else_asked_to_stop_did_not_fail(tmp_path: Path) -> None:
    body = """
    lives = len(list(ckpt.glob("life-*")))
    (ckpt / f"life-{lives}").touch()
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(75))
    say(lives + 1)
    if lives < 4:
        os.kill(os.getpid(), signal.SIGTERM)
    """
    run = LocalEngine().run(job_of(tmp_path, body, num_workers=1, max_restarts=0), discard)
    assert [attempt.reason for attempt in run.attempts[:4]] == ["rank 0 was asked to stop, and saved"] * 4


def test_the_port_of_an_attempt_is_given_to_nobody_else_and_rank_0_can_have_it(tmp_path: Path) -> None:
    body = """
    import socket
    port = int(os.environ["MASTER_PORT"])
    with socket.socket() as stranger:
        try:
            stranger.bind(("127.0.0.1", port))
        except OSError as error:
            (ckpt / "stranger").write_text(error.strerror)
    with socket.socket(socket.AF_INET6) as store:  # as torch's store does: all addresses, SO_REUSEADDR
        store.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        store.bind(("::", port))
        store.listen()
        socket.create_connection(("127.0.0.1", port)).close()
    say(1)
    """
    LocalEngine().run(job_of(tmp_path, body, num_workers=1, max_restarts=0), discard)
    assert (tmp_path / "checkpoints" / "stranger").read_text() == "Address already in use"


def test_a_daemon_that_left_its_process_group_is_killed_and_its_chatter_ends(tmp_path: Path) -> None:
    body = """
    import subprocess
    chatter = "import time\\nwhile True: print('x' * 60000, flush=True)"
    daemon = subprocess.Popen([sys.executable, "-c", chatter], start_new_session=True)
    (ckpt / "daemon").write_text(str(daemon.pid))
    say(1)
    """
    LocalEngine().run(job_of(tmp_path, body, num_workers=1), discard)
    daemon = int((tmp_path / "checkpoints" / "daemon").read_text())
    deadline = time.monotonic() + 10
    while is_running(daemon) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not is_running(daemon)


def test_an_old_done_mark_of_the_same_number_ends_no_attempt(tmp_path: Path) -> None:
    LocalEngine().run(job_of(tmp_path, "say(1)\nif rank == 0: done.touch()"), discard)
    for path in (tmp_path / "logs").glob("*.log"):
        path.unlink()  # to make room, say
    run = LocalEngine().run(job_of(tmp_path, "time.sleep(1); say(2)", grace_seconds=0.2), discard)
    assert [attempt.reason for attempt in run.attempts] == ["every worker ended"]
    assert [step.step for step in run.steps] == [2]


@pytest.mark.parametrize(
    ("fields", "found"),
    [('"step": 1e3', []), (f'"step": {2**53}', []), (f'"step": 3, "samples": {10**300}', [(3, None)])],
)
def test_numbers_that_no_reader_of_json_holds_are_no_steps(
    tmp_path: Path, fields: str, found: list[tuple[int, int | None]]
) -> None:
    run = LocalEngine().run(job_of(tmp_path, f"rank or print('{{{fields}}}', flush=True)"), discard)
    assert [(step.step, step.num_samples) for step in run.steps] == found


def test_a_worker_that_closes_its_output_is_watched_by_its_checkpoints(tmp_path: Path) -> None:
    body = """
    say(1)
    os.close(1)
    for number in range(6):
        (ckpt / f"step-{number}").touch()
        time.sleep(0.4)
    """
    job = job_of(tmp_path, body, num_workers=1, max_restarts=0, stall_seconds=1.6)
    assert [step.step for step in LocalEngine().run(job, discard).steps] == [1]


def test_a_step_line_that_comes_in_pieces_is_one_step_and_a_torn_one_at_the_end_is_none(tmp_path: Path) -> None:
    body = """
    for piece in ('{"step": 1, "lo', 'ss": 2.0}', chr(10), '{"step": 2, "lo'):
        sys.stdout.write(piece); sys.stdout.flush(); time.sleep(0.15)
    """
    run = LocalEngine().run(job_of(tmp_path, body, num_workers=1), discard)
    assert [(step.step, step.loss) for step in run.steps] == [(1, 2.0)]
    assert (tmp_path / "logs" / "attempt-1-rank-0.log").read_text() == '{"step": 2, "lo'


def test_a_log_without_end_is_begun_anew_and_its_last_part_kept_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crew, "MOST_LOG_BYTES", 100_000)
    body = """
    for number in range(30):
        print(f"line {number} " + "x" * 20_000, file=sys.stderr, flush=True)
        (ckpt / f"step-{number}").touch()
        time.sleep(0.1)
    """
    # The watch looks at logs four times within stall_seconds.
    LocalEngine().run(job_of(tmp_path, body, num_workers=1, stall_seconds=2.0, max_restarts=0), discard)
    log = tmp_path / "logs" / "attempt-1-rank-0.log"
    before = log.with_name(f"{log.name}.1")
    assert "line 29" in before.read_text() + log.read_text()  # it may be begun anew right behind the last line
    assert log.stat().st_size < 600_000
    assert before.stat().st_size > 100_000


def test_survivors_that_ignore_sigterm_are_killed_with_their_children(tmp_path: Path) -> None:
    body = """
    import subprocess
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if rank == 0:
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (ckpt / "child").write_text(str(child.pid))
        time.sleep(600)
    while not (ckpt / "child").exists() or not (ckpt / "child").read_text():
        time.sleep(0.01)
    sys.exit(1)
    """
    pids: list[int] = []

    def sink(event: Event) -> None:
        if isinstance(event, WorkersStarted):
            pids.extend(event.pids)

    with pytest.raises(TrainingFailed):
        LocalEngine().run(job_of(tmp_path, body, max_restarts=0, grace_seconds=0.3), sink)
    pids.append(int((tmp_path / "checkpoints" / "child").read_text()))
    assert not [pid for pid in pids if is_running(pid)]


def test_a_sink_that_raises_leaves_no_worker_behind(tmp_path: Path) -> None:
    pids: list[int] = []

    def sink(event: Event) -> None:
        if isinstance(event, WorkersStarted):
            pids.extend(event.pids)
        if isinstance(event, TrainingStep):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        LocalEngine().run(job_of(tmp_path, "say(1); time.sleep(600)", grace_seconds=1), sink)
    assert len(pids) == 2
    assert not [pid for pid in pids if is_running(pid)]


@pytest.mark.parametrize("signal_number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_packtrain(tmp_path: Path, signal_number: int) -> None:
    body = """
    def save(number, frame):
        (ckpt / f"saved-{rank}").touch()
        sys.exit(75)
    signal.signal(signal.SIGTERM, save)
    (ckpt / f"pid-{rank}").write_text(str(os.getpid()))
    say(1)
    while True:
        time.sleep(0.05)
    """
    job = job_of(tmp_path, body)
    # A test run that a shell put into the background hands down an ignored SIGINT; a person's terminal does not.
    script = f"""
import signal, sys
from pathlib import Path
from packtrain.engines.local import LocalEngine
from packtrain.events import discard
from packtrain.ports import TrainingJob
signal.signal(signal.SIGINT, signal.default_int_handler)
LocalEngine().run(TrainingJob(python=Path(sys.executable), command={job.command!r}, environment={{}},
    program_folder=Path({str(job.program_folder)!r}), checkpoints=Path({str(job.checkpoints)!r}),
    log_folder=Path({str(job.log_folder)!r}), num_workers=2, grace_seconds=5), discard)
"""
    packtrain = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.DEVNULL)
    places = [job.checkpoints / f"pid-{rank}" for rank in (0, 1)]
    deadline = time.monotonic() + 20
    while not all(place.exists() and place.read_text() for place in places) and time.monotonic() < deadline:
        time.sleep(0.02)
    os.kill(packtrain.pid, signal_number)
    packtrain.wait(20)
    pids = [int(place.read_text()) for place in places]
    deadline = time.monotonic() + 10
    while any(is_running(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not [pid for pid in pids if is_running(pid)]
    # Asked, they save; when packtrain is killed outright the kernel kills them: the last checkpoint has to do.
    assert (job.checkpoints / "saved-0").exists() == (signal_number != signal.SIGKILL)


def test_lines_that_are_no_steps_go_to_the_log(tmp_path: Path) -> None:
    body = """
    print("warming up")
    print('{"step": "one"}')
    print('{"step": -1}')
    print("{" * 100000)
    print('{"step": 1, "loss": NaN}')
    print("x" * 200000)
    """
    run = LocalEngine().run(job_of(tmp_path, body, num_workers=1), discard)
    assert [step.step for step in run.steps] == [1]
    assert run.steps[0].loss != run.steps[0].loss
    log = (tmp_path / "logs" / "attempt-1-rank-0.log").read_text()
    assert log.startswith("warming up\n")
    assert log.count("x") == 200000
