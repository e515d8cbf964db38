"""`kratosctl completion`."""

from __future__ import annotations

import click

from kratosctl.cli.session import Session, define

INSTALL = {
    "bash": '# Put this line into ~/.bashrc (bash 4.4 or newer): eval "$(kratosctl completion bash)"',
    "zsh": '# Put this line into ~/.zshrc, below compinit: eval "$(kratosctl completion zsh)"',
    "fish": "# Run once: kratosctl completion fish > ~/.config/fish/completions/kratosctl.fish",
}


@define(click.argument("shell", type=click.Choice(list(INSTALL))), reports=False)
def command(_session: Session, shell: str) -> None:
    """Print the completion script of a shell. Its first lines say how to install it."""
    from click.shell_completion import ShellComplete, get_completion_class

    from kratosctl.cli import kratosctl

    found = get_completion_class(shell)
    assert found is not None
    # not its own source(): the one for bash starts a bash to look at its version, whenever a shell starts
    script = ShellComplete.source(found(kratosctl, {}, "kratosctl", "_KRATOSCTL_COMPLETE"))
    first, rest = script.split("\n", 1)
    # zsh wants `#compdef` on the first line
    lines = (first, INSTALL[shell], rest) if first.startswith("#compdef") else (INSTALL[shell], first, rest)
    click.echo("\n".join(lines).rstrip("\n"))
