"""The shape of the code, read from its imports: who may import whom, heavy packages, no cycles, sizes."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("twin", "viewers", "pipelines")
FORBIDDEN = {"twin": {"viewers", "pipelines"}, "viewers": {"pipelines"}, "pipelines": set()}
HEAVY = {
    "laspy": {"twin/io/las.py"},
    "lazrs": {"twin/io/las.py"},
    "embreex": {"twin/visibility/embree.py"},
    "wgpu": {"twin/visibility/gpu_device.py"},
    "trimesh": {"twin/io/meshes.py"},
    "pyvista": {"viewers/desktop.py"},
    "vtk": {"viewers/desktop.py"},
    "open3d": {"viewers/points.py", "twin/register.py"},
    "cjio": set(),
    "rasterio": {"twin/io/geotiff.py"},
    "pyogrio": {"twin/io/vector.py"},
    "ezdxf": {"twin/io/dxf.py"},
    "dask": {"pipelines/workers.py"},
    "distributed": {"pipelines/workers.py"},
    "geopandas": {"twin/io/interop.py"},
    "xarray": {"twin/io/interop.py"},
}
MAX_LINES = 600
MAX_FUNCTION_LINES = 60
MAX_PARAMETERS = 7
ROOT_ENTRIES = {"twin", "pipelines", "viewers", "assets", "tests"} | {
    "README.md",
    "pyproject.toml",
    "LICENSE",
    "CHANGELOG.md",
}


def modules() -> list[Path]:
    return sorted(p for package in PACKAGES for p in (ROOT / package).rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports(path: Path, *, eager_only: bool = False) -> list[str]:
    """Modules that a file imports; only those run at import time where asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[str] = []

    def visit(node: ast.AST, inside: bool) -> None:
        for child in ast.iter_child_nodes(node):
            lazy = inside or isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
            typing_only = isinstance(child, ast.If) and "TYPE_CHECKING" in ast.dump(child.test)
            if isinstance(child, ast.Import) and not (eager_only and lazy):
                found.extend(alias.name for alias in child.names)
            elif isinstance(child, ast.ImportFrom) and not (eager_only and lazy) and child.module:
                found.append(child.module)
                found.extend(f"{child.module}.{alias.name}" for alias in child.names)
            visit(child, lazy or (eager_only and typing_only))

    visit(tree, False)
    return found


def test_arrows_never_turn_back() -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules()
        for name in imports(path)
        if name.split(".")[0] in FORBIDDEN[path.relative_to(ROOT).parts[0]]
    ]
    assert not wrong, wrong


def test_heavy_packages_stay_in_their_file() -> None:
    wrong = []
    for path in modules():
        where = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            top = name.split(".")[0]
            if top in HEAVY and where not in HEAVY[top]:
                wrong.append(f"{where} imports {top}")
    assert not wrong, sorted(set(wrong))


def test_visibility_stands_alone() -> None:
    allowed = ("twin.errors", "twin.jit", "twin.visibility")
    wrong = [
        f"{path.name} imports {name}"
        for path in (ROOT / "twin" / "visibility").rglob("*.py")
        for name in imports(path)
        if name.startswith("twin.") and not name.startswith(allowed)
    ]
    assert not wrong, wrong


def test_no_import_cycles() -> None:
    names = {name_of(p): p for p in modules()}
    graph = {
        name: {target for target in imports(path, eager_only=True) if target in names and target != name}
        for name, path in names.items()
    }
    done: set[str] = set()
    trail: list[str] = []

    def walk(name: str) -> None:
        if name in done:
            return
        assert name not in trail, f"import cycle: {' -> '.join([*trail[trail.index(name) :], name])}"
        trail.append(name)
        for target in sorted(graph[name]):
            walk(target)
        trail.pop()
        done.add(name)

    for name in sorted(graph):
        walk(name)


@pytest.mark.parametrize("path", modules(), ids=lambda p: p.relative_to(ROOT).as_posix())
def test_sizes(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES, f"{path} has more than {MAX_LINES} lines"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            doc = ast.get_docstring(node)
            code = length - (len(doc.splitlines()) if doc else 0)
            assert code <= MAX_FUNCTION_LINES, (
                f"{path.name}:{node.name} has {code} lines without its docstring"
            )
            arguments = node.args
            count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
            count -= bool(arguments.args and arguments.args[0].arg in ("self", "cls"))
            is_command = path.name == "cli.py"
            assert is_command or count <= MAX_PARAMETERS, f"{path.name}:{node.name} takes {count} parameters"


def test_public_functions_are_documented() -> None:
    silent = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert ast.get_docstring(tree), f"{path.relative_to(ROOT)} does not say what it is"
        for node in tree.body:
            public = isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_")
            if public and not ast.get_docstring(node):
                silent.append(f"{path.relative_to(ROOT)}:{node.name}")
    assert not silent, silent


def test_nothing_else_at_the_root() -> None:
    git = shutil.which("git")
    listed = subprocess.run(
        [git or sys.executable, "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        entries = {p.name for p in ROOT.iterdir() if (p.is_file() or p.name in ROOT_ENTRIES)}
    else:
        entries = {line.split("/")[0] for line in listed.stdout.splitlines()}
    extra = {e for e in entries if not e.startswith(".")} - ROOT_ENTRIES
    assert not extra, extra


def test_packages_have_a_map() -> None:
    folders = {p.parent for p in modules() if p.parent != ROOT}
    missing = [f.relative_to(ROOT).as_posix() for f in sorted(folders) if not (f / "README.md").exists()]
    assert not missing, f"no README.md in {missing}"


def test_import_twin_is_light() -> None:
    code = (
        "import time, sys; t = time.perf_counter(); import twin; dt = time.perf_counter() - t; "
        f"heavy = [m for m in {sorted(HEAVY)!r} + ['numba', 'scipy', 'matplotlib'] if m in sys.modules]; "
        "print(dt, heavy); sys.exit(bool(heavy) or dt > 0.5)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
