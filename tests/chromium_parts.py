"""Debian's Chromium, where it is installed. Tests that start it are marked `needs_chromium`."""

import shutil
from typing import Final

CHROMIUM: Final = shutil.which("chromium") or shutil.which("chromium-browser")
