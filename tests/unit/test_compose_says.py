"""The names of new containers, as Compose prints them while it creates."""

from __future__ import annotations

from kratosctl.engine.client import _created

SAID = """\
 Network app-dev-1a2b3c4d_default Creating
 Network app-dev-1a2b3c4d_default Created
 Container app-dev-1a2b3c4d-kratos-migrate-1 Creating
 Container app-dev-1a2b3c4d-kratos-migrate-1 Created
 Container app-dev-1a2b3c4d-kratos-1  Created
 Container app-dev-1a2b3c4d-ui-1 Recreated
 Container 0123456789ab_app-dev-1a2b3c4d-mail-1 Created
 Container other-kratos-1 Created
"""


def test_only_what_it_created_under_the_first_name_is_known_by_it() -> None:
    assert _created("app-dev-1a2b3c4d", SAID) == {
        "kratos-migrate": "app-dev-1a2b3c4d-kratos-migrate-1",
        "kratos": "app-dev-1a2b3c4d-kratos-1",
    }


def test_what_is_printed_in_another_form_tells_nothing() -> None:
    assert _created("app-dev-1a2b3c4d", '{"id":"Container app-dev-1a2b3c4d-kratos-1","status":"Created"}\n') == {}
