"""The command line. Each command is imported only when it runs: `--help` stays fast."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import click

from kratosctl import __version__
from kratosctl.cli.session import Session, directory_option

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

# name -> (module of this package, help line)
COMMANDS = {
    "up": ("up", "Bring an environment up, and wait until Kratos is ready."),
    "init": ("init", "Write kratosctl.yaml and kratos/; start nothing."),
    "down": ("down", "Stop an environment; data goes only with --volumes."),
    "status": ("status", "Show an environment's services, ports and migrations."),
    "list": ("list", "Show every environment of this host."),
    "logs": ("logs", "Show or follow logs."),
    "restart": ("restart", "Restart services."),
    "open": ("open", "Open the UI, the mail inbox or the API in a browser."),
    "kratos": ("kratos", "Run Kratos' own command line inside the environment."),
    "migrate": ("migrate", "Apply the SQL migrations, or show their state."),
    "verify": ("verify", "Prove that people can sign up, verify, sign out and in."),
    "seed": ("seed", "Create the identities of files, each once."),
    "snapshot": ("snapshot", "Save the database under a name, and put it back."),
    "reset": ("reset", "Take the database back to just migrated, plus its seed."),
    "run": ("run", "Run a command with a Kratos of its own, gone afterwards."),
    "lesson": ("lesson", "Break an environment in a known way, for you to mend."),
    "prune": ("prune", "Remove what killed test runs left behind."),
    "upgrade": ("upgrade", "Go to a newer release, tried on a clone first."),
    "workshop": ("workshop", "Give every attendee of a class a Kratos."),
    "secrets": ("secrets", "Rotate the secrets."),
    "render": ("render", "Print or write the Compose file."),
    "image": ("image", "Build an image with your configuration in it."),
    "catalog": ("catalog", "Show known releases and variants."),
    "doctor": ("doctor", "Look for what is wrong, with its fix."),
    "menu": ("menu", "Pick an environment and act on it."),
    "schema": ("schema", "Print the JSON Schema of kratosctl.yaml."),
    "completion": ("completion", "Print the completion script of a shell."),
}


class LazyGroup(click.Group):
    """Knows its commands' names and help lines without importing them."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        # `help` as many other programs have it
        return super().parse_args(ctx, [*args[1:], "--help"] if args[:1] == ["help"] else args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"kratosctl.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        command.name, command.short_help = cmd_name, COMMANDS[cmd_name][1]
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem[str]]:
        from click.shell_completion import CompletionItem

        names = [CompletionItem(name, help=line) for name, (_, line) in COMMANDS.items() if name.startswith(incomplete)]
        return names + click.Command.shell_complete(self, ctx, incomplete)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            import difflib

            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            meant = f": did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"no command {args[0]!r}{meant}", ctx)
        return super().resolve_command(ctx, args)


@click.group(cls=LazyGroup, invoke_without_command=True, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="kratosctl", message="%(prog)s %(version)s")
@directory_option()
@click.pass_context
def kratosctl(context: click.Context, directory: str | None) -> None:
    """A pinned, migrated, ready Ory Kratos in one command."""
    session: Session = context.obj
    session.directory_given = directory
    if context.invoked_subcommand is None:
        import sys

        if sys.stdin.isatty() and sys.stderr.isatty():
            context.invoke(kratosctl.get_command(context, "menu"))  # type: ignore[arg-type]
        else:
            click.echo(context.get_help())
