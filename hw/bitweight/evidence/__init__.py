"""What was proven and run: records of it, and the page that lists every circuit and design."""

from __future__ import annotations
