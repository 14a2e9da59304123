"""What `embed` does once its flags are read."""

from __future__ import annotations

from typing import Any

from arcface_cli.cli import build
from arcface_cli.cli.batch import Batch, Target, open_sink
from arcface_cli.cli.conditions import embedding
from arcface_cli.output import records


def embed_photographs(params: dict[str, Any]) -> int:
    """Write features of what the parameters of `embed` name; return the exit status."""
    build.require_runtime()
    settings = build.settings_from(params).values
    photos = build.photos(params)
    batch = Batch(settings, params["fail_fast"], params["verbose"], build.counter(params))
    target = Target("embed", settings, params["output"], build.feature_dimension(settings))
    made_with = embedding(settings)
    earlier = target.resume(photos, batch.tally, made_with) if params["resume"] else None
    with open_sink(target, earlier) as sink:
        shop = build.workshop(
            "embed",
            settings,
            photos,
            recognise=True,
            faces="all",
            verbosity=batch.verbosity,
            made_with=made_with,
            streamed=build.is_streamed(params),
        )
        batch.run(
            sink,
            shop.results(),
            lambda photo, outcome: records.embedded(shop.run, photo, outcome, sink.features),
        )
    batch.finish("embed")
    return batch.tally.status()
