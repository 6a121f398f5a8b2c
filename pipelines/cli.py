"""The command line: ``twin``. Says what happens, and ends with an exit code that means something.

0 done, 1 failed, 2 wrong usage, 3 bad input, 4 something missing from the machine, 130 interrupted.
"""

from __future__ import annotations

import logging
import signal
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from pipelines.console import Reporter
from twin import __version__
from twin.errors import TwinError, UsageError
from twin.io.atomic import disk_error

app = typer.Typer(
    name="twin",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help=(
        "3D city digital twin: LiDAR or CityJSON in; terrain, buildings, trees; proposals slotted in; "
        "sun and view studies before and after; pictures, windows and files to hand over.\n\n"
        "Start with `twin demo`, or `twin init SITE --points ... --footprints ... --crs EPSG:3812` "
        "and then `twin run SITE`. Exit codes: 0 done, 1 failed, 2 usage, 3 bad input, "
        "4 something missing from the machine, 130 interrupted."
    ),
)

SiteArgument = Annotated[Path, typer.Argument(metavar="SITE", help="Site folder, the one with twin.toml.")]
INTERRUPTED = 130
"""Exit code after Ctrl-C."""

Workers = Annotated[
    int | None, typer.Option("--workers", min=1, help="Processes and ray threads; all cores where not given.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="auto (GPU where there is one), gpu, cpu, or reference (slow, exact).")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Only warnings, errors and the result.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON on standard output.")]


def _version(value: bool) -> None:
    if value:
        print(f"twin {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """3D city digital twin."""


@app.command()
def demo(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to put it.")] = Path("twin-demo"),
    workers: Workers = None,
    device: DeviceOption = "auto",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make the sample site and run the whole road on it: model, studies, pictures, exports."""
    from pipelines.run import run_demo

    reporter = Reporter(quiet, as_json)
    summary = run_demo(folder, reporter, device=_device(device), workers=_workers(workers))
    reporter.result(summary.as_json(), summary.lines())


@app.command()
def sample(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="Folder to make; it must not hold a site yet.")
    ],
    size: Annotated[str, typer.Option("--size", help="small, demo (36 ha) or valley (800 ha).")] = "demo",
    seed: Annotated[int, typer.Option("--seed", min=0, help="Another number makes another valley.")] = 1,
    workers: Workers = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Write a synthetic valley: LiDAR tiles, footprints, plan, proposals, studies, and their truth."""
    from pipelines.run import write_sample

    reporter = Reporter(quiet, as_json)
    value = write_sample(folder, size, seed, reporter, _workers(workers))
    reporter.result(value, [f"sample site: {folder}", f"next: twin run {folder}"])


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="SITE", help="Folder of the new site.")],
    points: Annotated[
        list[str] | None, typer.Option("--points", help="LAS/LAZ/COPC files or quoted patterns; repeatable.")
    ] = None,
    footprints: Annotated[
        Path | None, typer.Option("--footprints", help="GeoPackage, GeoJSON, Shapefile or SQLite.")
    ] = None,
    layer: Annotated[str | None, typer.Option("--layer", help="Layer of the footprints file.")] = None,
    id_field: Annotated[
        str | None, typer.Option("--id-field", help="Field with a stable building id.")
    ] = None,
    citymodel: Annotated[
        Path | None, typer.Option("--citymodel", help="CityJSON or CityJSONSeq with the buildings.")
    ] = None,
    dtm: Annotated[Path | None, typer.Option("--dtm", help="GeoTIFF of the bare ground.")] = None,
    dsm: Annotated[Path | None, typer.Option("--dsm", help="GeoTIFF of the surface with roofs.")] = None,
    crs: Annotated[str | None, typer.Option("--crs", help="CRS of the site, e.g. EPSG:3812.")] = None,
    heights: Annotated[
        str | None, typer.Option("--heights", help="Vertical datum, e.g. EPSG:5710 (Ostend).")
    ] = None,
    classes: Annotated[
        str | None, typer.Option("--classes", help="asprs, spw-2013, spw-2021, ahn, ign-lidar-hd or a file.")
    ] = None,
    area: Annotated[
        str | None,
        typer.Option("--area", help="west,south,east,north in the site's CRS [m], or file.geojson[#id]."),
    ] = None,
    name: Annotated[str | None, typer.Option("--name", help="Name on the sheets.")] = None,
    language: Annotated[str, typer.Option("--language", help="fr or en.")] = "fr",
    timezone: Annotated[str, typer.Option("--timezone", help="Zone of legal time.")] = "Europe/Brussels",
    grids: Annotated[Path | None, typer.Option("--grids", help="Folder with PROJ grids.")] = None,
    points_crs: Annotated[
        str | None, typer.Option("--points-crs", help="CRS of the points, where their files name none.")
    ] = None,
    accepted_accuracy: Annotated[
        float | None,
        typer.Option(
            "--accepted-accuracy",
            help="Move between CRSs this well [m] where a grid is missing.",
            min=0.0,
            max=10.0,
        ),
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Make a site from your own data: writes a commented twin.toml, a first study and views that work."""
    from pipelines.init import InitRequest, init_site

    reporter = Reporter(quiet, as_json)
    # fmt: off
    request = InitRequest(
        folder, tuple(points or ()), footprints, layer, id_field, citymodel, dtm, dsm,
        crs, heights, classes, area, name, language, timezone, grids, points_crs,
        accepted_accuracy,
    )
    # fmt: on
    guesses = init_site(request, reporter)
    lines = [f"site: {folder}", *(f"  {line}" for line in guesses), f"next: twin run {folder}"]
    reporter.result({"site": str(folder), "notes": guesses}, lines)


@app.command()
def doctor(
    site: Annotated[Path | None, typer.Argument(metavar="[SITE]", help="Site to check, where given.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what this machine has: Python, packages, GPU adapters, grids, display, fonts."""
    from pipelines.doctor import examine

    reporter = Reporter(False, as_json)
    found = examine(site)
    reporter.result(found.as_json(), found.lines())
    if found.missing_required:
        raise typer.Exit(4)


@app.command()
def build(site: SiteArgument, workers: Workers = None, quiet: Quiet = False, as_json: AsJson = False) -> None:
    """Build the model: terrain, buildings, trees."""
    from pipelines.build import build as build_model
    from pipelines.site import open_site

    reporter = Reporter(quiet, as_json)
    opened = open_site(site)
    built = build_model(opened, reporter, _workers(workers))
    counts = built.counts
    text = f"model: {opened.model} ({counts['buildings']} buildings, {counts['failures']} recorded failures)"
    reporter.result({"model": str(opened.model), "counts": counts}, [text, f"next: twin study {site}"])


@app.command()
def study(
    site: SiteArgument,
    study_id: Annotated[
        str | None, typer.Argument(metavar="[ID]", help="One study; all where not given.")
    ] = None,
    workers: Workers = None,
    device: DeviceOption = "auto",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Run the studies: existing, proposed and difference, with rasters, plates, table and manifest."""
    from pipelines.site import open_site
    from pipelines.study import run_studies

    reporter = Reporter(quiet, as_json)
    ids = [study_id] if study_id else None
    folders = run_studies(open_site(site), ids, reporter, _device(device), _workers(workers))
    reporter.result({"studies": [str(f) for f in folders]}, [f"study: {f}" for f in folders])


@app.command()
def render(
    site: SiteArgument,
    view: Annotated[
        str | None, typer.Option("--view", help="One view of views.toml; all where not given.")
    ] = None,
    workers: Workers = None,
    device: DeviceOption = "auto",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Render the named views, existing and for each scenario."""
    from pipelines.render import render_views
    from pipelines.site import open_site

    reporter = Reporter(quiet, as_json)
    files = render_views(open_site(site), reporter, _device(device), _workers(workers), view)
    reporter.result({"pictures": [str(f) for f in files]}, [f"picture: {f}" for f in files])


@app.command()
def view(
    site: SiteArgument,
    points: Annotated[
        bool, typer.Option("--points", help="Look at the raw clouds by class instead.")
    ] = False,
    scenario: Annotated[str | None, typer.Option("--scenario", help="Scenario to compare with.")] = None,
    screenshot: Annotated[
        Path | None, typer.Option("--screenshot", help="Write a picture of the window and close it.")
    ] = None,
    workers: Workers = None,
    device: DeviceOption = "auto",
    quiet: Quiet = False,
) -> None:
    """Open the window: layers, scenarios, sun slider; with --points the raw clouds."""
    from pipelines.look import look_at_points, look_at_scene
    from pipelines.site import open_site

    reporter = Reporter(quiet)
    opened = open_site(site)
    if points:
        look_at_points(opened, reporter, screenshot)
    else:
        look_at_scene(opened, reporter, _device(device), _workers(workers), scenario, screenshot)


@app.command()
def export(
    site: SiteArgument,
    formats: Annotated[
        list[str], typer.Option("--format", help="glb, obj, dxf, cityjson, geotiff or all; repeatable.")
    ],
    scenario: Annotated[
        str | None, typer.Option("--scenario", help="Scenario; existing and every scenario where not given.")
    ] = None,
    absolute: Annotated[bool, typer.Option("--absolute", help="DXF and OBJ in full coordinates.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """Hand over the model: one folder per scenario under out/exports, with how to place it."""
    from pipelines.handover import export_site
    from pipelines.site import open_site

    reporter = Reporter(quiet, as_json)
    files = export_site(open_site(site), formats, reporter, scenario, absolute=absolute)
    reporter.result({"exports": [str(f) for f in files]}, [f"export: {f}" for f in files])


@app.command()
def validate(
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="CityJSON or CityJSONSeq files, or folders.")
    ],
    json_file: Annotated[
        Path | None, typer.Option("--json", metavar="REPORT", help="Write the whole report as JSON.")
    ] = None,
    csv_file: Annotated[
        Path | None, typer.Option("--csv", metavar="TABLE", help="Write one row per object as CSV.")
    ] = None,
    lod: Annotated[str | None, typer.Option("--lod", help="Only this level of detail, e.g. 2.2.")] = None,
    snap: Annotated[float, typer.Option("--snap-m", help="Vertices nearer than this are one [m].")] = 0.001,
    planarity: Annotated[
        float, typer.Option("--planarity-m", help="A corner may lie this far from its plane [m].")
    ] = 0.01,
    normals: Annotated[
        float, typer.Option("--normals-deg", help="A fold in a surface may turn this far [deg].")
    ] = 20.0,
    quiet: Quiet = False,
) -> None:
    """Check the geometry of any CityJSON file (ISO 19107, val3dity's codes): 0 all valid, 1 some not."""
    from pipelines.validate import validate_paths, write_reports
    from twin.validation.codes import Tolerances

    reporter = Reporter(quiet)
    validation = validate_paths(files, Tolerances(snap, planarity, normals), lod, reporter)
    write_reports(validation, json_file, csv_file)
    reporter.result({}, validation.lines())
    if validation.exit_code:
        raise typer.Exit(validation.exit_code)


@app.command()
def run(
    site: SiteArgument,
    workers: Workers = None,
    device: DeviceOption = "auto",
    quiet: Quiet = False,
    as_json: AsJson = False,
) -> None:
    """All of it: build, study, render, export. What is up to date is not done again."""
    from pipelines.run import run_site
    from pipelines.site import open_site

    reporter = Reporter(quiet, as_json)
    summary = run_site(open_site(site), reporter, device=_device(device), workers=_workers(workers))
    reporter.result(summary.as_json(), summary.lines())


def _workers(asked: int | None) -> int:
    from pipelines.workers import worker_count

    return worker_count(asked)


def _device(text: str) -> Any:
    if text not in ("auto", "gpu", "cpu", "reference"):
        raise UsageError(f"--device is one of auto, gpu, cpu, reference; got {text!r}")
    return text


def guarded(command: Callable[[], Any], interrupts: Sequence[int] = ()) -> int:
    """Run a command and turn every ending into an exit code and one line on standard error.

    ``interrupts`` fills while the command runs, once for each Ctrl-C.
    """
    try:
        command()
    except typer.Exit as ending:
        return int(ending.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except TwinError as error:
        _complain(str(error))
        return error.exit_code
    except OSError as error:
        _complain(str(disk_error(Path(str(error.filename or "a file")), error)))
        return 1
    except MemoryError:
        _complain("not enough memory; use a smaller area, larger cells or fewer workers")
        return 1
    except Exception as error:  # noqa: BLE001 - the last boundary: never a traceback in a user's face
        if interrupts:
            return INTERRUPTED
        if hasattr(error, "format_message"):
            # typer's own: a wrong option, value or command.
            _complain(f"{error.format_message()} (`twin --help`, `twin COMMAND --help` list what there is)")
            return UsageError.exit_code
        _complain(f"unexpected {type(error).__name__}: {error} (details: {_log_traceback()})")
        return 1
    return 0


def _complain(text: str) -> None:
    print(f"twin: {text}", file=sys.stderr)


def _log_traceback() -> Path:
    import traceback

    with tempfile.NamedTemporaryFile("w", prefix="twin-", suffix=".log", delete=False) as log:
        traceback.print_exc(file=log)
    return Path(log.name)


def main() -> None:
    """Entry point of the ``twin`` command."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s", stream=sys.stderr)
    logging.getLogger("twin").setLevel(logging.WARNING)

    def command() -> None:
        result = app(standalone_mode=False)
        if isinstance(result, int) and result:
            raise typer.Exit(result)

    interrupts: list[int] = []

    def interrupt(number: int, _: Any) -> None:
        # Ctrl-C in the middle of an import can surface as another error: remember what began it.
        interrupts.append(number)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        code = guarded(command, interrupts)
    except SystemExit as ending:
        code = int(ending.code or 0) if not isinstance(ending.code, str) else 1
    finally:
        signal.signal(signal.SIGINT, before)
    if code == INTERRUPTED:
        _complain("interrupted; nothing half-written was left, run the same command again to go on")
    sys.exit(code)


if __name__ == "__main__":
    main()
