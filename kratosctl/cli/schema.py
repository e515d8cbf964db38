"""`kratosctl schema`."""

from __future__ import annotations

import click

from kratosctl.cli.session import Session, define
from kratosctl.results import Result

# as kratosctl.answers.configuration_file says, which imports PyYAML
_OURS, _WORKSHOP = "kratosctl.yaml", "workshop.yaml"


@define(
    click.argument("file", type=click.Choice((_OURS, _WORKSHOP)), default=_OURS),
)
def command(session: Session, file: str) -> Result:
    """Print the JSON Schema of kratosctl.yaml, or of workshop.yaml.

    Editors with a YAML language server use it after `kratosctl schema > kratosctl.schema.json` and this first line in
    kratosctl.yaml: # yaml-language-server: $schema=kratosctl.schema.json
    """
    import json

    from kratosctl.answers import schema

    # it is the same in each directory, and so are the commands it speaks of
    session.directory_given = None
    found = schema.workshop_schema() if file == _WORKSHOP else schema.schema()
    return Result("schema", found, lambda: json.dumps(found, indent=2))
