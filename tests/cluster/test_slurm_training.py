"""`train` on a real Slurm of three nodes: lost workers and hosts, a command that dies, time that runs out."""

import os
import signal
import time

import pytest

from counting_program import weights_after
from netns_hosts import until
from packtrain.record.folder import VoyageFolder
from site_parts import write_program
from slurm_node import SlurmNode, processes_with
from slurm_parts import STEPS, attempts, ended, jobs, processes, saved, seen, set_training, start, steps, weights

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(400)]


def test_a_killed_worker_is_followed_by_a_requeue_that_goes_on_from_the_checkpoint(
    slurm: SlurmNode, voyage: VoyageFolder
) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 6, 120, "the first saves")
    name = seen(voyage, 3)[0][0]
    os.kill(processes_with(slurm.nodes[name], "train.py")[-1], signal.SIGKILL)
    told = ended(run)
    assert run.returncode == 0, told
    assert weights(voyage) == weights_after(STEPS)
    first, second = attempts(voyage)
    assert "SIGKILL" in first["reason"]
    assert (first["lost_host"], len(first["hosts"]), second["lost_host"]) == (name, 2, None)
    assert first["started_seconds"] < first["ended_seconds"] < second["started_seconds"] < second["ended_seconds"]
    before, after = seen(voyage, 3)
    assert int(after[4]) >= 6
    assert before[2] != after[2]
    assert [line[3:] for line in seen(voyage, 1)] == [["4", "0", "1"], ["4", after[4], "1"]]
    assert before[1] == slurm.nodes[first["hosts"][0]].address
    assert {line[0] for line in steps(voyage)} == {1, 2}
    receipt = voyage.receipt("train")
    assert receipt is not None
    assert receipt.facts["engine"] == "slurm"
    assert receipt.facts["hosts"] == ", ".join(second["hosts"])
    assert receipt.counts["restarts"] == 1
    assert not (voyage.work / "train-slurm").exists()


def test_all_nodes_that_are_free_take_part_up_to_the_most(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    set_training(voyage, hosts="least = 1\nmost = 3")
    run = start(slurm, voyage)
    told = ended(run)
    assert run.returncode == 0, told
    assert [len(attempt["hosts"]) for attempt in attempts(voyage)] == [3]
    assert weights(voyage) == weights_after(STEPS)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGHUP])
def test_a_command_that_is_killed_leaves_a_job_that_the_same_command_follows(
    slurm: SlurmNode, voyage: VoyageFolder, signum: signal.Signals
) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 2, 120, "the first saves")
    second = slurm.packtrain("train", str(voyage.root))
    assert second.returncode == 13, second.stderr
    os.killpg(run.pid, signum)
    run.communicate()
    [job] = jobs(slurm)
    reached = saved(voyage)
    until(lambda: saved(voyage) > reached, 60, "steps without a command")
    again = start(slurm, voyage)
    told = ended(again)
    assert again.returncode == 0, told
    assert f"job {job} was submitted by an earlier command" in told
    assert weights(voyage) == weights_after(STEPS)
    assert len(attempts(voyage)) == 1
    assert [line[1] for line in steps(voyage)] == list(range(1, STEPS + 1))


def test_a_job_that_ended_while_nobody_looked_is_not_run_again(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 2, 120, "the first saves")
    os.killpg(run.pid, signal.SIGKILL)
    run.communicate()
    until(lambda: not jobs(slurm), 120, "the job to end by itself")
    lives = len(seen(voyage, 0))
    again = slurm.packtrain("train", str(voyage.root))
    assert again.returncode == 0, again.stderr
    assert len(seen(voyage, 0)) == lives == 1
    assert len(steps(voyage)) == STEPS


def test_a_cancelled_job_is_a_verdict_and_the_same_command_goes_on(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    slurm.run("scancel", *jobs(slurm))
    told = ended(run, 60)
    assert run.returncode == 82, told
    assert "it was cancelled" in told
    until(lambda: not processes(slurm), 30, "the workers to end")
    reached = saved(voyage)
    assert reached >= 4
    again = slurm.packtrain("train", str(voyage.root))
    assert again.returncode == 0, again.stderr
    assert weights(voyage) == weights_after(STEPS)
    assert int(seen(voyage, 0)[-1][4]) == reached


def test_an_interrupt_lets_the_job_save_and_end(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    os.killpg(run.pid, signal.SIGINT)
    told = ended(run, 90)
    assert run.returncode == 130, told
    assert not jobs(slurm)
    assert not processes(slurm)
    assert attempts(voyage)[-1]["reason"] == "it was interrupted"
    assert saved(voyage) == max(line[1] for line in steps(voyage))


def test_a_program_that_always_fails_ends_with_a_verdict(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    write_program(voyage, "import sys; print('out of luck', file=sys.stderr); sys.exit(3)")
    set_training(voyage, more="max_restarts = 1")
    done = slurm.packtrain("train", str(voyage.root))
    assert done.returncode == 82, done.stderr
    assert "did not finish in 2 attempts" in done.stderr
    assert "out of luck" in done.stderr


def test_what_slurm_refuses_is_said_in_its_words(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    set_training(voyage, hosts='slurm_arguments = ["--partition=nowhere"]')
    done = slurm.packtrain("train", str(voyage.root))
    assert done.returncode == 27
    assert "Invalid partition" in done.stderr
    set_training(voyage, hosts='folder = "/local"')
    done = slurm.packtrain("train", str(voyage.root))
    assert done.returncode == 10
    assert "[site.hosts] folder" in done.stderr


def test_time_that_runs_out_is_saved_and_the_next_attempt_goes_on(slurm: SlurmNode, voyage: VoyageFolder) -> None:
    set_training(voyage, steps=150, slow=0.3, hosts='slurm_arguments = ["--time=1", "--signal=B:USR1@40"]')
    done = slurm.packtrain("train", str(voyage.root))
    assert done.returncode == 0, done.stderr
    assert weights(voyage) == weights_after(150)
    first, *_, last = attempts(voyage)
    assert first["reason"] == "the job's time ran out, and it was asked to save"
    assert last["reason"] == "every worker ended"
    numbers = [line[1] for line in steps(voyage)]
    assert numbers == list(range(1, 151))  # it saved where it was: no step was done twice


def test_a_time_too_short_for_one_step_further_ends_with_a_verdict_and_is_mended_by_more_time(
    slurm: SlurmNode, voyage: VoyageFolder
) -> None:
    # One step sleeps longer than the job may take, and Slurm's warning comes with the end: nothing can be saved.
    arguments = 'slurm_arguments = ["--time=1", "--signal=B:USR1@1"]'
    set_training(voyage, steps=4, slow=200, more="max_restarts = 1", hosts=arguments)
    run = start(slurm, voyage)
    told = ended(run)
    assert run.returncode == 82, told
    assert "got no further in 2 attempts; the last ended because the job's time ran out" in told
    assert "--time" in told
    assert (jobs(slurm), saved(voyage)) == ([], 0)
    assert {attempt["reason"] for attempt in attempts(voyage)} == {"the job's time ran out, and it was asked to save"}
    until(lambda: not processes(slurm), 30, "no worker is left")
    set_training(voyage, steps=4)
    done = slurm.packtrain("train", str(voyage.root))
    assert done.returncode == 0, done.stderr
    assert weights(voyage) == weights_after(4)


@pytest.mark.parametrize("place", [0, 1])
def test_a_host_without_power_is_replaced_by_another(slurm: SlurmNode, voyage: VoyageFolder, place: int) -> None:
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    names = [seen(voyage, rank)[0][0] for rank in (0, 2)]
    slurm.power_off(names[place])
    began = time.monotonic()
    told = ended(run)
    print(f"host {place} without power: {time.monotonic() - began:.0f} s to the end")
    slurm.power_on(names[place])
    assert run.returncode == 0, told
    assert weights(voyage) == weights_after(STEPS)
    first, second = attempts(voyage)
    assert first["lost_host"] == names[place]
    assert names[place] not in second["hosts"]


def test_a_node_that_only_slurm_takes_for_dead_stops_before_another_begins(
    slurm: SlurmNode, voyage: VoyageFolder
) -> None:
    set_training(voyage, steps=300)
    run = start(slurm, voyage)
    until(lambda: saved(voyage) >= 4, 120, "the first saves")
    first = seen(voyage, 0)[0][0]
    slurm.kill_slurmd(first)  # what it started lives on
    until(lambda: len(seen(voyage, 0)) > 1, 200, "an attempt elsewhere")
    assert not processes_with(slurm.nodes[first], "train.py")
    told = ended(run)
    slurm.start_slurmd(first)
    assert run.returncode == 0, told
    assert weights(voyage) == weights_after(300)
    assert first not in attempts(voyage)[-1]["hosts"]
