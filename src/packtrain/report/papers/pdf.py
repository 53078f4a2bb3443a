"""Papers as PDF: printed by WeasyPrint from the very HTML that is signed, so that there is no second template."""

from __future__ import annotations

import sys
from typing import Any

from packtrain.errors import MissingDependency


def pdf_of(html: bytes, name: str) -> bytes:
    """Return a paper as PDF. It is a copy: what is signed is the HTML file.

    Args:
        html: the paper.
        name: of its file, for messages.

    Raises:
        MissingDependency: WeasyPrint, or the text library (Pango) that it needs from the system, is not here.
    """
    from_pillow = sys.modules.get("PIL.ImageFile")
    before: bool = getattr(from_pillow, "LOAD_TRUNCATED_IMAGES", False)
    try:
        import weasyprint  # pyright: ignore[reportMissingTypeStubs]
    except (ImportError, OSError) as error:  # it is an OSError where a library of the system is missing
        raise MissingDependency(
            "making a PDF needs WeasyPrint, and Pango from the system",
            where=name,
            expected="packtrain[pdf]",
            found=str(error).splitlines()[0][:200],
            hint='pip install "packtrain[pdf]", and libpango-1.0-0 and libpangoft2-1.0-0; or print with a browser',
        ) from error
    # WeasyPrint lets Pillow load images that are cut short, in the whole process: `prepare` must not.
    sys.modules["PIL.ImageFile"].LOAD_TRUNCATED_IMAGES = before  # pyright: ignore[reportAttributeAccessIssue]
    # No protocol at all: a paper loads nothing, and what it loaded would be no part of what was signed.
    nothing: Any = weasyprint.urls.URLFetcher(allowed_protocols=(), allow_redirects=False)  # pyright: ignore[reportUnknownMemberType]
    document: Any = weasyprint.HTML(string=html.decode("utf-8"), url_fetcher=nothing)  # pyright: ignore[reportUnknownMemberType]
    return document.write_pdf()
