"""One walk over a scene, thin writers: the formats of ``twin export``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from twin.io.atomic import write_text
from twin.io.cityjson_write import write_city
from twin.io.dxf import write_dxf
from twin.io.geotiff import write_cog
from twin.io.meshes import Placement, write_glb, write_obj
from twin.model.scene import Scene, walk
from viewers.palette import surface_colours

FORMATS = ("glb", "obj", "dxf", "cityjson", "geotiff")
"""What ``--format`` takes."""


def export_scene(
    scene: Scene, kind: str, folder: Path, about: Mapping[str, Any], *, absolute: bool = False
) -> list[Path]:
    """Write a scene in one format into a folder; gives the files.

    Parameters
    ----------
    scene
        What is standing; what the scenario removes is not in any file.
    kind
        One of ``FORMATS``.
    about
        name, attribution, synthetic: for the records inside and beside the files.
    absolute
        Full coordinates in OBJ and DXF.

    Raises
    ------
    MissingDependencyError
        DXF without ezdxf.
    """
    record = {
        "site": about.get("name", ""),
        "synthetic": bool(about.get("synthetic")),
        "attribution": about.get("attribution", ""),
        "scenario": scene.scenario,
        "scene_hash": scene.hash,
    }
    placement = Placement(scene.frame, record)
    name = scene.scenario  # may hold dots, so a suffix is added, never exchanged
    writers: dict[str, Callable[[], list[Path]]] = {
        "glb": lambda: write_glb(folder / f"{name}.glb", walk(scene), placement, surface_colours()),
        "obj": lambda: write_obj(
            folder / f"{name}.obj", walk(scene), placement, surface_colours(), absolute=absolute
        ),
        "dxf": lambda: write_dxf(folder / f"{name}.dxf", walk(scene), placement, absolute=absolute),
        "cityjson": lambda: _cityjson(scene, folder / f"{name}.city.json", record),
        "geotiff": lambda: _rasters(scene, folder),
    }
    files = writers[kind]()
    readme = folder / f"LISEZMOI-{kind}.txt"
    write_text(readme, readme_text(placement, kind, [f.name for f in files]))
    return [*files, readme]


def _cityjson(scene: Scene, path: Path, record: Mapping[str, Any]) -> list[Path]:
    write_city(
        path,
        frame=scene.frame,
        buildings=[*scene.buildings, *scene.proposed],
        terrain=scene.terrain.tin,
        trees=scene.trees,
        others=scene.others,
        metadata={"title": record["site"], "synthetic": record["synthetic"]},
    )
    return [path]


def _rasters(scene: Scene, folder: Path) -> list[Path]:
    tags = {"TWIN_SCENE": scene.hash, "TWIN_VERTICAL_DATUM": scene.frame.vertical}
    files = [folder / "dtm.tif"]
    write_cog(files[0], scene.terrain.dtm, tags=tags, description="DTM: bare ground", unit="metre")
    if scene.terrain.dsm is not None and not scene.proposed and not scene.removed:
        files.append(folder / "dsm.tif")
        write_cog(files[1], scene.terrain.dsm, tags=tags, description="DSM: existing surface", unit="metre")
    return files


def readme_text(placement: Placement, kind: str, names: list[str]) -> str:
    """How to place the files, in French and English."""
    frame, about = placement.frame, placement.about
    local = kind in ("glb", "obj", "dxf")
    east, north = frame.origin
    lines = [
        f"{_line(about['site'])} - {about['scenario']}"
        + (" (SYNTHETIQUE / SYNTHETIC)" if about["synthetic"] else ""),
        "",
        f"Fichiers / files: {', '.join(names)}",
        f"SCR / CRS: {frame.crs_name}; altitudes / heights: {frame.vertical}; unite / unit: metre",
    ]
    if local:
        lines += [
            "Coordonnees locales : ajouter l'origine pour revenir au SCR "
            f"(E + {east}, N + {north}, altitude inchangee), sauf si le fichier .json dit autre chose.",
            "Local coordinates: add the origin to come back to the CRS "
            f"(E + {east}, N + {north}, heights unchanged), unless the .json beside the file says otherwise.",
            f"Nord de la grille / grid north; convergence {frame.convergence_deg:+.4f} deg "
            "(azimut grille = azimut vrai - convergence / grid azimuth = true azimuth - convergence).",
        ]
    if kind == "glb":
        lines.append("GLB: Y vers le haut / Y up, X est / east, Z sud / south.")
    if kind == "obj":
        lines.append("OBJ: Z vers le haut / Z up.")
    lines += ["", f"Empreinte du scenario / scene hash: {about['scene_hash']}"]
    if about.get("attribution"):
        lines.append(f"Sources / attribution: {_line(about['attribution'])}")
    return "\n".join(lines) + "\n"


def _line(value: Any) -> str:
    """Text of the settings on one line."""
    return " ".join(str(value).split())
