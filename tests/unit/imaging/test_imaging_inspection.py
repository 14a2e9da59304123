from __future__ import annotations

from arcface_cli.diagnosis.apart import Answer
from arcface_cli.diagnosis.findings import Level
from arcface_cli.diagnosis.packages import Owner
from arcface_cli.imaging.inspection import findings
from fake_machines import CPU, OPENCV, machine

HEADLESS = Owner("opencv-python-headless", "5.0", "cv2/cv2.so")


def test_what_works_is_one_line_with_both_versions() -> None:
    (finding,) = findings(machine())
    assert (finding.level, finding.facts) == (Level.OK, {"opencv": "5.0.0", "pillow": "13.0.0"})


def test_two_builds_of_opencv_overwrite_each_other() -> None:
    clash, _ = findings(machine(CPU, OPENCV, HEADLESS))
    assert clash.level is Level.ERROR
    assert "uninstall -y opencv-python opencv-python-headless" in str(clash.mend)
    assert str(clash.mend).endswith("install opencv-python==5.0")


def test_a_server_without_a_screens_libraries_gets_the_build_that_needs_none() -> None:
    (finding,) = findings(machine(survey_pixels=Answer(failure="ImportError: libGL.so.1: cannot open")))
    assert finding.level is Level.ERROR
    assert str(finding.mend).endswith("install opencv-python-headless")


def test_any_other_failure_is_installed_again() -> None:
    (finding,) = findings(machine(survey_pixels=Answer(failure="the process was ended by SIGILL")))
    assert "--force-reinstall --no-deps opencv-python pillow" in str(finding.mend)
