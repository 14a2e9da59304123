"""Every flag, written once. A command names those it takes; `Settings` says what they mean."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from arcface_cli.settings import (
    Faces,
    Format,
    Fusion,
    IndexType,
    ListFormat,
    MetricName,
    PrecisionName,
    RecordFormat,
)

MODEL, DECIDE, FACES, OUTPUT, RUN = "Model", "Decision", "Faces", "Output", "Run"


def path(word: str) -> Path:
    """A path that was typed. An empty one is a shell's unset variable, and would mean the current folder."""
    if not word:
        raise typer.BadParameter("an empty path was given: check the shell's variables; . is this folder")
    return Path(word)


Inputs = Annotated[
    list[str] | None,
    typer.Argument(
        help="Photographs, folders of them, or - for one on standard input.",
        metavar="[PATH]...",
        show_default=False,
    ),
]
Recursive = Annotated[
    bool, typer.Option("--recursive", "-r", help="Also look into the folders inside a folder.")
]
FilesFrom = Annotated[
    Path | None,
    typer.Option(
        help="Read names of photographs from FILE, or - for standard input.", metavar="FILE", parser=path
    ),
]
Null = Annotated[
    bool, typer.Option("--null", "-0", help="Names in --files-from end with NUL, as find -print0 writes.")
]

Gallery = Annotated[
    Path | None,
    typer.Option(
        "--gallery", "-g", help="Folder of the gallery.", metavar="DIR", parser=path, rich_help_panel=RUN
    ),
]
Model = Annotated[
    str | None,
    typer.Option("--model", "-m", help="Pack or recogniser.", metavar="NAME", rich_help_panel=MODEL),
]
Detector = Annotated[
    str | None, typer.Option(help="Detector, instead of the pack's.", metavar="NAME", rich_help_panel=MODEL)
]
Device = Annotated[
    str | None,
    typer.Option(help="auto, cpu, cuda, cuda:N or cuda:0,1.", metavar="DEVICE", rich_help_panel=MODEL),
]
Precision = Annotated[
    PrecisionName | None, typer.Option(help="Arithmetic of the recogniser.", rich_help_panel=MODEL)
]
TensorRT = Annotated[
    bool | None,
    typer.Option(
        "--tensorrt/--no-tensorrt",
        help="Run the recogniser through TensorRT; the first run builds engines.",
        rich_help_panel=MODEL,
    ),
]
Flip = Annotated[
    bool | None,
    typer.Option(
        "--flip/--no-flip",
        help="Add the mirror image's feature (another fingerprint).",
        rich_help_panel=MODEL,
    ),
]

Threshold = Annotated[
    float | None,
    typer.Option(
        "--threshold",
        "-t",
        help="Similarity from which two faces match; higher is stricter.",
        metavar="S",
        rich_help_panel=DECIDE,
    ),
]
MaxDistance = Annotated[
    float | None,
    typer.Option(
        help="Distance up to which two faces match; lower is stricter.", metavar="D", rich_help_panel=DECIDE
    ),
]
Metric = Annotated[
    MetricName | None,
    typer.Option(help="What -t (cosine) or --max-distance (euclidean) is given in.", rich_help_panel=DECIDE),
]
YesToThreshold = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Use the threshold even if strangers reach it.", rich_help_panel=DECIDE),
]
Margin = Annotated[
    float | None,
    typer.Option(
        help="Lead over the runner-up that a match needs; less is ambiguous.",
        metavar="M",
        rich_help_panel=DECIDE,
    ),
]
Top = Annotated[
    int | None,
    typer.Option("--top", "-k", help="Candidates shown for each face.", metavar="K", rich_help_panel=DECIDE),
]
FusionRule = Annotated[
    Fusion | None,
    typer.Option(
        "--fusion", help="A subject's similarity: of its best template, or the mean.", rich_help_panel=DECIDE
    ),
]

VectorKind = Annotated[
    IndexType | None,
    typer.Option(
        "--index-type",
        help="Keep the gallery's vectors so: float16 and int8 read less and round (docs/galleries.md).",
        rich_help_panel=RUN,
    ),
]
KeepCrops = Annotated[
    bool | None,
    typer.Option(
        "--keep-crops/--no-crops",
        help="A new gallery: store the aligned faces too, for reembed and audit. Default: no.",
        rich_help_panel=RUN,
    ),
]
Sync = Annotated[
    bool,
    typer.Option("--sync", help="Only what is new, changed or moved in the folders; tell what is gone."),
]
Prune = Annotated[
    bool, typer.Option("--prune", help="With --sync: remove templates whose photograph is gone.")
]
RetryRefused = Annotated[
    bool,
    typer.Option("--retry-refused", help="With --sync: look again at what an earlier one refused."),
]
Yes = Annotated[
    bool,
    typer.Option("--yes", "-y", help="Don't ask; needed where nobody can be asked.", rich_help_panel=RUN),
]

FaceChoice = Annotated[
    Faces | None, typer.Option("--faces", help="Which faces of a photograph count.", rich_help_panel=FACES)
]
MinFace = Annotated[
    float | None, typer.Option(help="Shorter side of a face, in pixels.", metavar="PX", rich_help_panel=FACES)
]
DetScore = Annotated[
    float | None,
    typer.Option(help="Detection score that counts, 0 to 1.", metavar="X", rich_help_panel=FACES),
]
MinSharpness = Annotated[
    float | None,
    typer.Option(
        help="Sharpness that a face needs; in focus: 400.",
        metavar="X",
        rich_help_panel=FACES,
    ),
]
MaxYaw = Annotated[
    float | None,
    typer.Option(
        help="Degrees that a face may be turned.",
        metavar="DEG",
        rich_help_panel=FACES,
    ),
]
MaxDark = Annotated[
    float | None,
    typer.Option(help="Share of it that may be black, 0 to 1.", metavar="X", rich_help_panel=FACES),
]
MaxBright = Annotated[
    float | None,
    typer.Option(help="Share that may be burnt out, 0 to 1.", metavar="X", rich_help_panel=FACES),
]


def _unless_stdout(path: Path | None) -> Path | None:
    """None for the names of stdout: that is where records go anyway, and under -o it would be replaced."""
    return None if path is not None and str(path) in STDOUT_NAMES else path


STDOUT_NAMES = ("-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1")
"""What standard output is called on a command line."""

OutputFile = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        help="Write to FILE, whole or not at all.",
        metavar="FILE",
        parser=path,
        callback=_unless_stdout,
        rich_help_panel=OUTPUT,
    ),
]
_FORMAT = typer.Option(
    "--format", "-f", help="Default: table on a terminal, jsonl in a pipe.", rich_help_panel=OUTPUT
)
OutputFormat = Annotated[RecordFormat | None, _FORMAT]
FeatureFormat = Annotated[Format | None, _FORMAT]
FormatOfList = Annotated[ListFormat | None, _FORMAT]
AsJson = Annotated[bool, typer.Option("--json", help="The same as --format json.", rich_help_panel=OUTPUT)]

Batch = Annotated[
    int | None, typer.Option(help="Faces in one recogniser run.", metavar="N", rich_help_panel=RUN)
]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", help="Photographs worked on at once.", metavar="N", rich_help_panel=RUN),
]
Resume = Annotated[
    bool,
    typer.Option(
        "--resume",
        help="Write record by record, and go on where an earlier run stopped.",
        rich_help_panel=OUTPUT,
    ),
]
FailFast = Annotated[
    bool, typer.Option("--fail-fast", help="Stop at the first photograph that fails.", rich_help_panel=RUN)
]
DryRun = Annotated[
    bool, typer.Option("--dry-run", "-n", help="Say what would be done; change nothing.", rich_help_panel=RUN)
]
Offline = Annotated[
    bool | None, typer.Option("--offline", help="Never use the network.", rich_help_panel=RUN)
]
NoProgress = Annotated[
    bool | None, typer.Option("--no-progress", help="No progress bar.", rich_help_panel=RUN)
]
Quiet = Annotated[
    bool | None, typer.Option("--quiet", "-q", help="Only errors that end the run.", rich_help_panel=RUN)
]
Verbose = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        help="Say more; -vv also ONNX Runtime's own log.",
        rich_help_panel=RUN,
        show_default=False,
    ),
]
