"""Whether pixels can be worked on here: OpenCV and Pillow."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arcface_cli.diagnosis.findings import Finding, fine, wrong
from arcface_cli.diagnosis.packages import PIXELS, examine_owners
from arcface_cli.diagnosis.surroundings import Surroundings

PREFERRED = "opencv-python"


def survey_pixels(_: object) -> dict[str, Any]:
    """In a child: versions of OpenCV and Pillow."""
    import cv2
    import PIL

    return {"opencv": str(cv2.__version__), "pillow": PIL.__version__}


def findings(here: Surroundings) -> Iterator[Finding]:
    """One line for what serves, one for each thing that is wrong."""
    found, pip = here.owners(PIXELS), here.installer
    if len(found) > 1 or any(owner.damaged is not None for owner in found):
        yield examine_owners(PIXELS, found, PREFERRED, pip)
    answer = here.ask(survey_pixels, None)
    if answer.failure is None:
        versions = answer.value
        yield fine("imaging", f"OpenCV {versions['opencv']}, Pillow {versions['pillow']}", **versions)
    elif "libGL" in answer.failure:
        yield wrong("imaging", answer.failure, pip.replace(found, "opencv-python-headless"))
    else:
        yield wrong("imaging", answer.failure, pip.install(PREFERRED, "pillow", again=True))
