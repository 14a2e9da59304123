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
    given = dict(locals())
    from arcface_cli.cli import build
    from arcface_cli.cli.batch import Batch, Target, open_sink
    from arcface_cli.cli.conditions import embedding
    from arcface_cli.output import records

    build.require_runtime()
    settings = build.settings_from(given).values
    photos = build.photos(given)
    dimension = build.feature_dimension(settings)
    work = Batch(settings, fail_fast, verbose, build.counter(given))
    target = Target("embed", settings, output, dimension)
    made_with = embedding(settings)
    earlier = target.resume(photos, work.tally, made_with) if resume else None
    with open_sink(target, earlier) as sink:
        shop = build.workshop(
            "embed",
            settings,
            photos,
            recognise=True,
            faces="all",
            verbosity=verbose,
            made_with=made_with,
            streamed=build.is_streamed(given),
        )
        work.run(
            sink, shop.results(), lambda photo, seen: records.embedded(shop.run, photo, seen, sink.features)
        )
    work.finish("embed")
    return work.tally.status()
