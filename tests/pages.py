"""What is in a report, as a browser unpacks it."""

import gzip
import json
import re
from base64 import b64decode
from typing import Any


def unpacked(html: str, name: str) -> str:
    """Return the text of a compressed script."""
    found = re.search(rf'<script type="text/plain" id="{name}">([^<]*)</script>', html)
    assert found is not None
    return gzip.decompress(b64decode(found[1])).decode("utf-8")


def figures_in(html: str) -> list[dict[str, Any]]:
    """Return the figures of a report."""
    return json.loads(unpacked(html, "figures"))
