"""Run by itself: asks the head of a Ray cluster for its version, without joining it, and prints lines of JSON."""

import importlib
import json
import os
import socket
import sys
from typing import Any

_DOOR_SECONDS = 3.0
_ANSWER_SECONDS = 10.0


def main() -> None:
    """Read the address from standard input; knock, then ask what the head wrote down of itself when it was started."""
    address: str = json.load(sys.stdin)
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def tell(**told: Any) -> None:
        answers.write(json.dumps(told) + "\n")
        answers.flush()

    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _DOOR_SECONDS).close()
    except (OSError, ValueError) as error:
        silence = "no answer" if isinstance(error, TimeoutError) else "it is no HOST:PORT"
        tell(why=(getattr(error, "strerror", None) or silence).lower())
        return
    tell(is_open=True)
    # Ray's own connection asks for minutes where nobody answers: whoever started this does not wait so long.
    # As Ray itself does it unless it is told otherwise; Ray finds the token, which is never looked at here.
    os.environ.setdefault("RAY_AUTH_MODE", "token")
    try:
        raylet: Any = importlib.import_module("ray._raylet")
        text = raylet.GcsClient(address=address).internal_kv_get(b"CLUSTER_METADATA", b"cluster", _ANSWER_SECONDS)
    except Exception as error:
        tell(why=f"{type(error).__name__}: {error}".splitlines()[0][:200], wants_token="token" in str(error).lower())
    else:
        tell(**(json.loads(text) if text else {}))
    os._exit(0)


if __name__ == "__main__":
    main()
