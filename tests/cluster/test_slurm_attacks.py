"""`train` under Slurm where the site, its controller, its queue or the user get in the way."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from counting_program import weights_after
from netns_hosts import until
from packtrain.record.folder import VoyageFolder
from slurm_node import SlurmNode, processes_with
from slurm_parts import STEPS, attempts, ended, jobs, processes, saved, seen, set_training, start, steps, weights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


def block_nodes(slurm: SlurmNode, tmp_path: Path, *options: str) -> str:
    """Have a job of somebody else on all nodes; return its id."""
    script = tmp_path / "other.sh"
    script.write_text("#!/bin/sh\nexec sleep 300\n")
    done = slurm.run("sbatch", "--parsable", "--nodes=3", "--exclusive", "--output=/dev/null", *options, str(script))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def state_of(slurm: SlurmNode, job: str) -> str:
    return slurm.run("squeue", "--noheader", "--states=all", f"--jobs={job}", "--format=%T").stdout.strip()


def wrapped_sbatch(slurm: SlurmNode, folder: Path, then: str) -> dict[str, str]:
    """Return an environment in which `sbatch` submits, and then does something else."""
    folder.mkdir()
    real = shutil.which("sbatch")
    (folder / "sbatch").write_text(f'#!/bin/sh\n{real} "$@" > {folder}/out || exit\n{then}\n')
    (folder / "sbatch").chmod(0o755)
    return {**slurm.environment, "PATH": f"{folder}:{slurm.environment['PATH']}"}


def train(slurm: SlurmNode, folder: VoyageFolder, environment: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "packtrain", "train", str(folder.root)]
    return slurm.hosts.run_in(slurm.host, argv, env=environment, timeout=240)


def test_a_job_that_waits_for_nodes_says_so_and_an_interrupt_takes_it_out_of_the_queue(
    slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path
) -> None:
    other = block_nodes(slurm, tmp_path)
    until(lambda: state_of(slurm, other) == "RUNNING", 60, "the other job")
    run = start(slurm, voyage)
    until(lambda: len(jobs(slurm)) == 2, 60, "our job")
    time.sleep(12)
    status = slurm.packtrain("status", str(voyage.root)).stdout
    assert "Slurm to start job" in status, status
    os.killpg(run.pid, signal.SIGINT)
    told = ended(run, 60)
    assert run.returncode == 130, told
    assert "(Resources)" in told or "(Priority)" in told
    assert jobs(slurm) == [other]
    assert not (voyage.work / "train-slurm").exists()
    assert attempts(voyage) == []


def test_a_held_job_says_how_it_is_released(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    set_training(voyage, hosts='slurm_arguments = ["--hold"]')
    run = start(slurm, voyage)
    until(lambda: jobs(slurm), 60, "our job")
    [job] = jobs(slurm)
    time.sleep(12)
    slurm.run("scontrol", "release", job)
    told = ended(run)
    assert run.returncode == 0, told
    assert f"scontrol release {job}" in told


def test_a_job_that_is_cancelled_in_the_queue_is_a_verdict(
    slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path
) -> None:
    block_nodes(slurm, tmp_path)
    run = start(slurm, voyage)
    until(lambda: len(jobs(slurm)) == 2, 60, "our job")
    slurm.run("scancel", "--state=PENDING", "--user=root")
    told = ended(run, 60)
    assert run.returncode == 82, told
    assert "it was cancelled" in told
    assert "the same command submits another" in told


def test_a_preempted_job_saves_and_goes_on_when_the_nodes_are_free(
    slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path
) -> None:
    set_training(voyage, steps=60, more="max_restarts = 0")
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    other = block_nodes(slurm, tmp_path, "--partition=urgent", "--time=5")
    until(lambda: state_of(slurm, other) == "RUNNING", 120, "the other job")
    assert not processes(slurm)
    reached = saved(voyage)
    slurm.run("scancel", other)
    told = ended(run)
    assert run.returncode == 0, told
    assert weights(voyage) == weights_after(60)
    first, *_ = attempts(voyage)
    assert first["lost_host"] is None
    assert first["reason"] == "Slurm ended it", attempts(voyage)
    assert [line[1] for line in steps(voyage)] == list(range(1, 61))
    assert int(seen(voyage, 0)[-1][4]) == reached


def test_a_batch_process_that_is_killed_leaves_a_record_and_a_verdict(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    [batch] = [pid for host in slurm.nodes.values() for pid in processes_with(host, "run-attempt")]
    os.kill(batch, signal.SIGKILL)
    told = ended(run)
    assert run.returncode == 82, told
    assert "or was killed there" in told
    [record] = attempts(voyage)
    assert record["reason"] == "Slurm ended it (FAILED)"
    assert len(record["hosts"]) == 2
    assert record["ended_seconds"] > record["started_seconds"]
    until(lambda: not processes(slurm), 60, "the workers to end")
    again = slurm.packtrain("train", str(voyage.root))
    assert again.returncode == 0, again.stderr
    assert weights(voyage) == weights_after(STEPS)
    assert [each["attempt"] for each in attempts(voyage)] == [1, 2]


def test_a_job_that_may_not_be_requeued_ends_with_a_verdict(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    set_training(voyage, hosts='slurm_arguments = ["--no-requeue"]')
    done = slurm.packtrain("train", str(voyage.root))
    assert done.returncode == 10, done.stderr
    assert "--no-requeue" in done.stderr
    set_training(voyage)
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    [job] = jobs(slurm)
    slurm.run("scontrol", "update", f"JobId={job}", "Requeue=0")
    name = seen(voyage, 3)[0][0]
    os.kill(processes_with(slurm.nodes[name], "train.py")[-1], signal.SIGKILL)
    told = ended(run, 90)
    assert run.returncode == 27, told
    assert "Slurm does not start the job again" in told
    assert "SIGKILL" in attempts(voyage)[0]["reason"]
    assert slurm.packtrain("train", str(voyage.root)).returncode == 0
    assert weights(voyage) == weights_after(STEPS)


@pytest.mark.parametrize(
    "name", ['Schiff Ü "1" it\'s $HOME %j \\x', 'Schiff 100 % "Ü" it\'s %j', " #SBATCH --hold `id` & ; *"]
)
def test_a_voyage_folder_of_any_name_is_trained_in(slurm: SlurmNode, voyage: VoyageFolder, name: str) -> None:
    voyage.root.rename(voyage.root.with_name(name))
    folder = VoyageFolder(voyage.root.with_name(name))
    # As in a shell of another job, with settings that a script has no say against.
    stray = {"SLURM_NTASKS": "7", "SLURM_CPU_BIND": "map_cpu:99", "SLURM_JOB_ID": "1", "SBATCH_ARRAY_INX": "1-3"}
    done = train(slurm, folder, {**slurm.environment, **stray, "SBATCH_NO_REQUEUE": "1", "SBATCH_JOB_NAME": "x"})
    assert done.returncode == 0, done.stderr
    assert weights(folder) == weights_after(STEPS)
    assert (folder.logs / "train" / "slurm.log").is_file()


def test_workers_have_the_language_of_the_command(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    script = "import os, pathlib, sys\nplace = pathlib.Path(sys.argv[sys.argv.index('--out') + 1])\n"
    script += "(place / 'language').write_text(os.environ.get('LC_ALL', 'none'))\n"
    (voyage.root / "program" / "train.py").write_text(script)
    done = train(slurm, voyage, {**slurm.environment, "LC_ALL": "C.UTF-8"})
    assert done.returncode == 0, done.stderr
    assert (voyage.work / "results" / "language").read_text() == "C.UTF-8"


def test_a_command_that_dies_before_it_knows_its_job_leaves_one_that_is_found(
    slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path
) -> None:
    environment = wrapped_sbatch(slurm, tmp_path / "bin", "kill -9 $PPID")
    done = train(slurm, voyage, environment)
    assert done.returncode in (-signal.SIGKILL, 137), done
    assert not (voyage.work / "train-slurm" / "job-id").exists()
    [job] = jobs(slurm)
    again = slurm.packtrain("train", str(voyage.root))
    assert again.returncode == 0, again.stderr
    assert f"job {job} was submitted by an earlier command" in again.stderr
    assert weights(voyage) == weights_after(STEPS)
    assert len(seen(voyage, 0)) == len(attempts(voyage)) == 1


def test_a_job_that_sbatch_denies_and_slurm_has_is_followed(
    slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path
) -> None:
    said = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
    done = train(slurm, voyage, wrapped_sbatch(slurm, tmp_path / "bin", f"echo '{said}' >&2; exit 1"))
    assert done.returncode == 0, done.stderr
    assert weights(voyage) == weights_after(STEPS)
    assert len(seen(voyage, 0)) == len(attempts(voyage)) == 1


def test_a_job_that_slurm_takes_when_another_was_submitted_ends_and_touches_nothing(
    slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path
) -> None:
    environment = wrapped_sbatch(slurm, tmp_path / "bin", "kill -9 $PPID")
    train(slurm, voyage, environment)
    # The script of that submission, which Slurm is given late.
    late = tmp_path / "late.sh"
    shutil.copyfile(voyage.work / "train-slurm" / "job.sh", late)
    slurm.run("scancel", *jobs(slurm))
    until(lambda: not jobs(slurm), 60, "the first job to end")
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 2, 120, "the first saves")
    done = slurm.run("sbatch", "--parsable", "--nodes=1", f"--output={tmp_path}/late.txt", str(late))
    until(lambda: state_of(slurm, done.stdout.strip()) in ("FAILED", "COMPLETED"), 60, "the late job to end")
    assert "another job was submitted" in (tmp_path / "late.txt").read_text()
    told = ended(run)
    assert run.returncode == 0, told
    assert weights(voyage) == weights_after(STEPS)
    assert [line[0] for line in steps(voyage)] == [attempts(voyage)[-1]["attempt"]] * len(steps(voyage))


def test_a_controller_that_is_away_while_an_attempt_fails_puts_the_job_back_when_it_is_there(
    slurm: SlurmNode, voyage: VoyageFolder
) -> None:
    set_training(voyage, steps=60)
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    name = seen(voyage, 3)[0][0]
    # A controller that dies before it has written down that the job runs starts it once more, and drains the node.
    began = (voyage.work / "results" / "seen-0.txt").stat().st_mtime
    until(lambda: (slurm.place / "state" / "job_state").stat().st_mtime > began, 60, "Slurm to note that the job runs")
    slurm.kill_controller()
    reached = saved(voyage)
    until(lambda: saved(voyage) > reached, 60, "steps without a controller")
    os.kill(processes_with(slurm.nodes[name], "train.py")[-1], signal.SIGKILL)
    until(lambda: attempts(voyage), 60, "the end of the attempt")
    time.sleep(15)
    slurm.start_controller()
    told = ended(run)
    assert run.returncode == 0, told
    assert weights(voyage) == weights_after(60)
    assert len(attempts(voyage)) == 2


def test_without_a_controller_nothing_is_submitted_and_that_is_said_at_once(
    slurm: SlurmNode, voyage: VoyageFolder
) -> None:
    slurm.kill_controller(signal.SIGTERM)  # it writes down what it knows
    try:
        done = slurm.packtrain("train", str(voyage.root))
    finally:
        slurm.start_controller()
    assert done.returncode == 27, done.stderr
    assert "Slurm does not answer" in done.stderr
    assert slurm.packtrain("train", str(voyage.root)).returncode == 0
    assert weights(voyage) == weights_after(STEPS)


def test_commands_that_are_not_there_are_named(slurm: SlurmNode, voyage: VoyageFolder, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "ip").symlink_to(shutil.which("ip") or "ip")
    done = train(slurm, voyage, {**slurm.environment, "PATH": str(tmp_path / "bin")})
    assert done.returncode == 24, done.stderr
    assert "no sbatch, squeue, scancel, scontrol" in done.stderr
