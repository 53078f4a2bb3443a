"""A training program of the standard library: all ranks agree on each step through rank 0."""

PROGRAM = """
import argparse, json, os, pathlib, signal, socket, struct, sys, time
parser = argparse.ArgumentParser()
for name in ("data", "ckpt", "out", "steps"):
    parser.add_argument(f"--{name}")
parser.add_argument("--slow", type=float, default=0.0)
parser.add_argument("--save-every", type=int, default=2)
given = parser.parse_args()
rank, world = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
place = (os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"]))
saved = pathlib.Path(given.ckpt) / "state.json"
state = json.loads(saved.read_text()) if saved.exists() else {"step": 0, "weight": 1}
(pathlib.Path(given.out) / f"seen-{rank}.txt").open("a").write(
    f"{socket.gethostname()} {place[0]} {place[1]} {world} {state['step']} {os.environ['LOCAL_RANK']}\\n")

asked = []
signal.signal(signal.SIGTERM, lambda *_: asked.append(1))

def exact(link, size):
    data = b""
    while len(data) < size:
        piece = link.recv(size - len(data))
        if not piece:
            sys.exit("a peer is gone")
        data += piece
    return data

if rank == 0:
    server = socket.create_server(place)
    links = [server.accept()[0] for _ in range(world - 1)]
else:
    end = time.monotonic() + 60
    while True:
        try:
            links = [socket.create_connection(place)]
            break
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)

def agreed(number):
    # The sum of all numbers, at every rank.
    if rank == 0:
        total = number + sum(struct.unpack("!q", exact(link, 8))[0] for link in links)
        for link in links:
            link.sendall(struct.pack("!q", total))
        return total
    links[0].sendall(struct.pack("!q", number))
    return struct.unpack("!q", exact(links[0], 8))[0]

def save():
    if rank == 0:
        saved.with_suffix(".new").write_text(json.dumps(state))
        saved.with_suffix(".new").rename(saved)

while state["step"] < int(given.steps):
    state["step"] += 1
    total = agreed(state["step"] * (rank + 1))
    state["weight"] = (state["weight"] * 31 + total * 2 // (world * (world + 1))) % 1000003
    if rank == 0:
        print(json.dumps({"step": state["step"], "loss": 1 / state["step"], "samples": world}), flush=True)
    if state["step"] % given.save_every == 0:
        save()
    if agreed(len(asked)):
        save()
        sys.exit(75)
    time.sleep(given.slow)
save()
if rank == 0:
    (pathlib.Path(given.out) / "weights.json").write_text(json.dumps(state))
"""


def weights_after(steps: int) -> dict[str, int]:
    """Return what an undisturbed run ends with, on any number of workers."""
    weight = 1
    for step in range(1, steps + 1):
        weight = (weight * 31 + step) % 1000003
    return {"step": steps, "weight": weight}
