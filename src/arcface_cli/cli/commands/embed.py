"""`arcface embed`."""

from __future__ import annotations

from arcface_cli.cli import options


def embed(
    paths: options.Inputs = None,
    recursive: options.Recursive = False,
    files_from: options.FilesFrom = None,
    null: options.Null = False,
    model: options.Model = None,
    detector: options.Detector = None,
    device: options.Device = None,
    precision: options.Precision = None,
    tensorrt: options.TensorRT = None,
    flip: options.Flip = None,
    faces: options.FaceChoice = None,
    min_face: options.MinFace = None,
    det_score: options.DetScore = None,
    min_sharpness: options.MinSharpness = None,
    max_yaw: options.MaxYaw = None,
    max_dark: options.MaxDark = None,
    max_bright: options.MaxBright = None,
    output: options.OutputFile = None,
    format: options.FeatureFormat = None,
    json: options.AsJson = False,
    batch: options.Batch = None,
    jobs: options.Jobs = None,
    fail_fast: options.FailFast = False,
    resume: options.Resume = False,
    no_progress: options.NoProgress = None,
    quiet: options.Quiet = None,
    verbose: options.Verbose = 0,
) -> int:
    """Turn every face into a feature: a vector of unit length, comparable by inner product.

    Formats: jsonl, json, csv, tsv, parquet, npz and npy with a manifest (by -f, or by the suffix of -o);
    a table shows no vectors. [bold]arcface enroll --from-embeddings[/bold] reads them back.

    Example: [bold]arcface embed -r ./people/ -o features.npz[/bold]
    """
    from arcface_cli.cli.features import embed_photographs

    return embed_photographs(locals())
