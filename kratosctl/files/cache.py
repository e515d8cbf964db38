"""Where this user's caches lie: what is lost there is made again."""

from __future__ import annotations

import os
from pathlib import Path


def directory() -> Path:
    """The directory of caches; $KRATOSCTL_CACHE_DIR moves it."""
    given = os.environ.get("KRATOSCTL_CACHE_DIR")
    if given:
        return Path(given)
    import platformdirs

    return Path(platformdirs.user_cache_dir("kratosctl"))
