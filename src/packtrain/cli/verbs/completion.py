"""packtrain completion"""

from __future__ import annotations

from typing import Final

import click
from click.shell_completion import ShellComplete, get_completion_class

from packtrain.cli.options import json_option
from packtrain.cli.terminal import answer

_SHELLS: Final = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(_SHELLS))
@json_option
@click.pass_context
def command(context: click.Context, shell: str, as_json: bool) -> None:
    """Print what makes SHELL complete verbs, options, voyage folders, labels of drives, rules and lists.

    \b
    bash  packtrain completion bash > ~/.local/share/bash-completion/completions/packtrain
    zsh   packtrain completion zsh > ~/.zfunc/_packtrain
          and in ~/.zshrc, before compinit: fpath=(~/.zfunc $fpath)
    fish  packtrain completion fish > ~/.config/fish/completions/packtrain.fish

    Make the folder first where it is missing, then open a new shell. For this bash alone:
    eval "$(packtrain completion bash)"
    """
    kind = get_completion_class(shell)
    assert kind is not None
    root = context.find_root().command
    # Not by the class of bash itself: it starts bash to ask for its version, and warns on stderr where there is none.
    script = ShellComplete.source(kind(root, {}, "packtrain", "_PACKTRAIN_COMPLETE"))
    answer(script.rstrip(), {"shell": shell, "script": script}, as_json=as_json)
