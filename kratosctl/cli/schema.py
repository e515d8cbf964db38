"""`kratosctl schema`."""

from __future__ import annotations

from kratosctl.cli.session import Session, define
from kratosctl.results import Result


@define()
def command(_session: Session) -> Result:
    """Print the JSON Schema of kratosctl.yaml.

    Editors with a YAML language server use it after `kratosctl schema > kratosctl.schema.json` and this first line in
    kratosctl.yaml: # yaml-language-server: $schema=kratosctl.schema.json
    """
    import json

    from kratosctl.schema import schema

    found = schema()
    return Result("schema", found, lambda: json.dumps(found, indent=2))
