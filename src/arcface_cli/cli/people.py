"""What `enroll` and `identify` do once their flags are read: build, run over the photographs, tell."""

from __future__ import annotations

from typing import Any

from arcface_cli.cli import build
from arcface_cli.cli.batch import Batch, Target, open_sink
from arcface_cli.cli.conditions import identifying
from arcface_cli.cli.enrolling import mention_disagreements, mention_flat_folder, noted
from arcface_cli.cli.galleries import enrolment, identification, known_people
from arcface_cli.cli.pictures import drawing, keeping_content
from arcface_cli.cli.tally import DONE, NO
from arcface_cli.output import records
from arcface_cli.workflows.agreement import Agreement


def enroll_photographs(params: dict[str, Any]) -> int:
    """Enroll what the parameters of `enroll` name; return the exit status."""
    build.require_runtime()
    settings = build.settings_from(params).values
    photos = build.people(params)
    mention_flat_folder(params, settings)
    verbosity: int = params["verbose"]
    work = Batch(settings, params["fail_fast"], verbosity, build.counter(params))
    agreement = Agreement()
    with open_sink(Target("enroll", settings, params["output"])) as sink:
        shop = build.workshop(
            "enroll",
            settings,
            photos,
            recognise=True,
            faces="one",
            verbosity=verbosity,
            streamed=build.is_streamed(params),
        )
        with enrolment(settings, shop, dry_run=params["dry_run"]) as results:
            work.run(sink, results, noted(agreement, shop.run))
    work.finish("enroll")
    mention_disagreements(agreement, settings, shop.run.model)
    return work.tally.status()


def identify_photographs(params: dict[str, Any]) -> int:
    """Identify who is on what the parameters of `identify` name; return the exit status."""
    build.require_runtime()
    loaded = build.settings_from(params)
    settings, photos = loaded.values, build.photos(params, into=params["draw"])
    people, point = known_people(loaded, yes=params["yes"])
    verbosity: int = params["verbose"]
    target = Target("identify", settings, params["output"], status_only=params["exists"])
    counter = build.counter(params, into=params["draw"])
    enough = target.silent and params["draw"] is None
    work = Batch(settings, params["fail_fast"], verbosity, counter, one_is_enough=enough)
    made_with = identifying(settings, point, params["draw"])
    earlier = target.resume(photos, work.tally, made_with) if params["resume"] else None
    with open_sink(target, earlier) as sink:
        shop = build.workshop(
            "identify",
            settings,
            photos,
            recognise=True,
            faces="all",
            verbosity=verbosity,
            made_with=made_with,
            streamed=build.is_streamed(params),
        )
        with drawing(params["draw"], shop.workers, quiet=settings.quiet) as drawn:
            results = drawn(identification(settings, people, keeping_content(shop, params["draw"]), point))
            work.run(
                sink,
                results,
                lambda photo, seen: records.identified(
                    shop.run, photo, seen, point, settings.top, people.calibration
                ),
            )
    status = work.tally.status(exists=params["exists"])
    work.finish("identify", unanswered=target.silent and status not in (DONE, NO))
    return status
