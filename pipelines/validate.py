"""Validation of CityJSON files: every object, every geometry, with codes and places."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.console import Reporter
from pipelines.tables import write_csv
from twin import __version__
from twin.errors import InputError
from twin.io.atomic import write_json
from twin.io.cityjson import parts_of
from twin.io.cityjson_boundaries import read_boundaries
from twin.io.cityjson_check import Fault, document_faults, recorded_failure
from twin.io.cityjson_file import Document, Part, load_document
from twin.io.cityjson_geometry import Templates, parse_templates
from twin.validation.codes import NAMES, Finding, Tolerances
from twin.validation.solids import Body, part_faults
from twin.validation.validate import examine

SUFFIXES = (".json", ".jsonl")
CLAIMS = (".city.json", ".city.jsonl")
"""Names of files that say they are CityJSON."""

SHOWN = 5
"""Objects that are named on the screen, per code."""


@dataclass(frozen=True, slots=True)
class ObjectReport:
    """One object of a file: its geometries by number, with LoD, type and findings."""

    id: str
    type: str
    geometries: tuple[tuple[int, str, str, tuple[Finding, ...]], ...]

    @property
    def valid(self) -> bool:
        """Whether nothing was found."""
        return not any(found for *_, found in self.geometries)


@dataclass(slots=True)
class FileReport:
    """What is found in one file."""

    path: Path
    version: str
    objects: list[ObjectReport] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: list[Finding] = field(default_factory=list)
    """What of the file could not be read as it must (901)."""

    @property
    def valid(self) -> bool:
        """Whether nothing but warnings was found."""
        faults = any(not fault.is_warning for fault in self.faults)
        return not faults and not self.broken and all(one.valid for one in self.objects)

    def found(self) -> Iterator[tuple[ObjectReport, int, str, str, Finding]]:
        """(object, geometry, LoD, geometry type, finding) of everything in geometries."""
        for one in self.objects:
            for number, lod, kind, findings in one.geometries:
                for finding in findings:
                    yield one, number, lod, kind, finding

    def by_code(self) -> dict[int, Counter[str]]:
        """For each code how many geometries of each LoD have it."""
        seen = {(one.id, number, lod, finding.code) for one, number, lod, _, finding in self.found()}
        codes: dict[int, Counter[str]] = {}
        for _, _, lod, code in sorted(seen):
            codes.setdefault(code, Counter())[lod or "-"] += 1
        return dict(sorted(codes.items()))

    def counts(self) -> dict[str, int]:
        """Objects and geometries, all and valid ones."""
        geometries = [g for one in self.objects for g in one.geometries if g[0] >= 0]
        return {
            "objects": len(self.objects),
            "objects_valid": sum(one.valid for one in self.objects),
            "geometries": len(geometries),
            "geometries_valid": sum(not g[3] for g in geometries),
        }


def validate_file(path: Path, tolerances: Tolerances, lod: str | None = None) -> FileReport:
    """Validate a CityJSON file or CityJSONSeq.

    Parameters
    ----------
    path
        The file.
    tolerances
        What counts as one point and as flat.
    lod
        Only geometries of this level of detail; all where None.

    Raises
    ------
    InputError
        No CityJSON of a known version, vertices that are no numbers.
    """
    document = load_document(path)
    report = FileReport(path, document.version, faults=document_faults(document))
    report.broken = [
        Finding(-1, -1, -1, -1, 901, f"{failure.object_id}: {failure.detail}")
        for failure in document.failures
    ]
    if document.version != "1.0" and document.header.get("transform") is None:
        text = f"CityJSON {document.version} needs the key 'transform', the file has none"
        report.broken.append(Finding(-1, -1, -1, -1, 901, text))
    try:
        templates = parse_templates(document.header.get("geometry-templates"))
    except InputError as error:
        report.broken.append(Finding(-1, -1, -1, -1, 901, str(error)))
        templates = None
    for part in document.parts:
        report.objects.extend(_part(document, part, templates, tolerances, lod))
    return report


def _part(
    document: Document, part: Part, templates: Templates | None, tolerances: Tolerances, lod: str | None
) -> Iterator[ObjectReport]:
    """Every object of a file or feature; buildings also with how their parts lie to each other."""
    solids: dict[str, list[tuple[str, str, tuple[Body, ...]]]] = {}
    rows: dict[str, list[tuple[int, str, str, tuple[Finding, ...]]]] = {}
    for key, item in part.objects.items():
        rows[key], solids[key] = [], []
        for number, geometry in enumerate(_geometries(item)):
            try:
                row, bodies = _one(number, geometry, part, templates, tolerances)
            except Exception as error:
                logging.getLogger("twin").exception("object %s of %s", key, document.path)
                finding = Finding(-1, -1, -1, -1, 999, f"internal error: {type(error).__name__}: {error}")
                row, bodies = (number, "", "", (finding,)), ()
            if row is not None and (lod is None or row[1] == lod):
                rows[key].append(row)
                solids[key].append((f"{key} geometry {number}", row[1], bodies))
        if _lacks_geometry(item):
            text = f"the {_type(item)} has no geometry and no children"
            rows[key].append((-1, "", "", (Finding(-1, -1, -1, -1, 609, text),)))
    for key, family in _buildings(part.objects):
        members = [one for name in family for one in solids[name]]
        for level in sorted({one[1] for one in members}):
            same = [(name, bodies) for name, where, bodies in members if where == level and bodies]
            found = tuple(part_faults(same, tolerances))
            if found:
                rows[key].append((-1, level, "", found))
    for key, item in part.objects.items():
        yield ObjectReport(key, _type(item), tuple(rows[key]))


def _buildings(objects: Mapping[str, Any]) -> Iterator[tuple[str, list[str]]]:
    """Each building (or part without one) with all parts below it."""
    parts = parts_of(objects)
    inside = {child for children in parts.values() for child in children}
    for key, item in objects.items():
        if _type(item) in ("Building", "BuildingPart") and key not in inside:
            family = [key]
            for name in family:  # grows while it is walked
                family.extend(parts.get(name, ()))
            yield key, family


def _one(
    number: int, geometry: Any, part: Part, templates: Templates | None, tolerances: Tolerances
) -> tuple[tuple[int, str, str, tuple[Finding, ...]] | None, tuple[Body, ...]]:
    boundaries = read_boundaries(geometry, part.vertices, templates)
    if boundaries is None:
        return None, ()
    found, bodies = examine(boundaries, tolerances)
    return (number, boundaries.lod, boundaries.kind, found), bodies


def _type(item: Any) -> str:
    return str(item.get("type")) if isinstance(item, Mapping) else "?"


def _geometries(item: Any) -> list[Any]:
    listed = item.get("geometry") if isinstance(item, Mapping) else None
    return listed if isinstance(listed, list) else [] if listed is None else [listed]


def _lacks_geometry(item: Any) -> bool:
    if not isinstance(item, Mapping) or _type(item) == "CityObjectGroup":
        return False
    return not (item.get("geometry") or item.get("children") or recorded_failure(item))


@dataclass(slots=True)
class Validation:
    """All files of one call."""

    tolerances: Tolerances
    files: list[FileReport] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    """Sentences on files that are no CityJSON."""

    @property
    def exit_code(self) -> int:
        """0 all valid, 1 some not, 3 a file that is no CityJSON."""
        if self.refused:
            return InputError.exit_code
        return 0 if all(one.valid for one in self.files) else 1

    def as_json(self) -> dict[str, Any]:
        """The whole report."""
        return {
            "software": f"valley-twin {__version__}",
            "standard": "ISO 19107, codes of val3dity",
            "tolerances": {
                "snap_m": self.tolerances.snap_m,
                "planarity_m": self.tolerances.planarity_m,
                "normals_deg": self.tolerances.normals_deg,
            },
            "valid": self.exit_code == 0,
            "refused": self.refused,
            "files": [_file_json(one) for one in self.files],
        }

    def table(self) -> list[Mapping[str, Any]]:
        """One row per object."""
        return [_row(report, one) for report in self.files for one in report.objects]

    def lines(self) -> list[str]:
        """The report for people."""
        t = self.tolerances
        lines = [
            f"tolerances: snap {t.snap_m:g} m, planarity {t.planarity_m:g} m, normals {t.normals_deg:g} deg"
        ]
        for report in self.files:
            lines += _file_lines(report)
        return lines


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {"code": finding.code, "name": finding.name, "where": finding.where, "text": finding.text}


def _file_json(report: FileReport) -> dict[str, Any]:
    return {
        "file": str(report.path),
        "cityjson": report.version,
        "valid": report.valid,
        **report.counts(),
        "codes": {
            str(code): {"name": NAMES[code], "geometries_by_lod": dict(lods)}
            for code, lods in report.by_code().items()
        },
        "file_errors": [_finding_json(one) for one in report.broken],
        "structure": [
            {"kind": f.kind, "id": f.id, "warning": f.is_warning, "text": f.text} for f in report.faults
        ],
        "features": [
            {
                "id": one.id,
                "type": one.type,
                "valid": one.valid,
                "findings": [
                    {"geometry": number, "lod": lod, **_finding_json(finding)}
                    for number, lod, _, found in one.geometries
                    for finding in found
                ],
            }
            for one in report.objects
        ],
    }


def _row(report: FileReport, one: ObjectReport) -> dict[str, Any]:
    found = [(lod, finding) for _, lod, _, findings in one.geometries for finding in findings]
    return {
        "file": report.path.name,
        "id": one.id,
        "type": one.type,
        "lods": " ".join(sorted({lod for number, lod, _, _ in one.geometries if number >= 0})),
        "valid": "yes" if one.valid else "no",
        "codes": " ".join(str(code) for code in sorted({finding.code for _, finding in found})),
        "where": "; ".join(f"LoD {lod or '-'} {f.code} {f.where}" for lod, f in found[:SHOWN]),
        "text": found[0][1].text if found else "",
    }


def _file_lines(report: FileReport) -> list[str]:
    c = report.counts()
    verdict = "valid" if report.valid else "NOT valid"
    lines = [
        f"{report.path}: {verdict}; {c['objects_valid']} of {c['objects']} objects and "
        f"{c['geometries_valid']} of {c['geometries']} geometries valid"
    ]
    examples: dict[int, dict[str, str]] = {}
    for one, _, lod, _, finding in report.found():
        text = f"{one.id} (LoD {lod or '-'}), {finding.where}: {finding.text}"
        examples.setdefault(finding.code, {}).setdefault(one.id, text)
    for code, lods in report.by_code().items():
        spread = ", ".join(f"LoD {lod}: {count}" for lod, count in sorted(lods.items()))
        lines.append(f"  {code} {NAMES[code]}: {sum(lods.values())} geometries ({spread})")
        named = list(examples[code].values())
        lines += [f"    {text}" for text in named[:SHOWN]]
        if len(named) > SHOWN:
            lines.append(f"    and {len(named) - SHOWN} more objects")
    lines += [f"  {one.code} {one.name}: {one.text}" for one in report.broken[:SHOWN]]
    for fault in report.faults[: 4 * SHOWN]:
        lines.append(f"  {'warning' if fault.is_warning else fault.kind}: {fault.id}: {fault.text}")
    if len(report.faults) > 4 * SHOWN:
        lines.append(f"  and {len(report.faults) - 4 * SHOWN} more faults of structure")
    return lines


def validate_paths(
    paths: Sequence[Path], tolerances: Tolerances, lod: str | None, reporter: Reporter
) -> Validation:
    """Validate files, and the CityJSON files within folders.

    Raises
    ------
    InputError
        A path that is not there; folders without a CityJSON file.
    """
    validation = Validation(tolerances)
    files = list(_files(paths))
    with reporter.step(f"validating {len(files)} files") as ticker:
        for number, (path, claimed) in enumerate(files, start=1):
            try:
                validation.files.append(validate_file(path, tolerances, lod))
            except InputError as error:
                if claimed:
                    validation.refused.append(str(error))
                    reporter.warn(str(error))
                else:
                    reporter.say(f"left out: {error}")
            ticker(number, len(files))
    if not validation.files and not validation.refused:
        raise InputError(f"{paths[0]}: holds no CityJSON file (.city.json, .city.jsonl)")
    return validation


def _files(paths: Sequence[Path]) -> Iterator[tuple[Path, bool]]:
    """Files, and whether each is said to be CityJSON: named by the user, or by its suffix."""
    for path in paths:
        if path.is_dir():
            inside = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES and p.is_file())
            yield from ((p, p.name.lower().endswith(CLAIMS)) for p in inside)
        else:
            yield path, True


def write_reports(validation: Validation, json_file: Path | None, csv_file: Path | None) -> None:
    """Write the report as JSON and the table as CSV, where asked."""
    if json_file is not None:
        write_json(json_file, validation.as_json())
    if csv_file is not None:
        write_csv(csv_file, validation.table())
