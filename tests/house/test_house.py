"""The rules of the house that no linter knows."""

from __future__ import annotations

import ast
import dataclasses
import re
import subprocess
import sys
from pathlib import Path

import pytest

from serving import errors, settings
from serving.grpc.errors import CODES
from serving.http.errors import STATUSES

ROOT = Path(__file__).resolve().parents[2]
NOUNS = sorted(
    path.stem
    for path in (ROOT / "protos/parlevel/v1").glob("*.proto")
    if re.search(r"^service ", path.read_text(encoding="utf-8"), re.MULTILINE)
)
HEAVY = ("econml", "feast", "lightgbm", "mlflow", "pandas", "skl2onnx", "sklearn")
VAGUE = {"base", "common", "core", "helpers", "manager", "utils"}
OPEN_END = re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME)\b(?!\(#\d+\))")
MACHINE_PATH = re.compile(r"(?:^|[^A-Za-z0-9_.])/(?:work|root|farm|Users)/")


def project_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],  # noqa: S607 - git is found on the PATH
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout.splitlines()
    return [path for name in listed if (path := ROOT / name).is_file()]


def offences(pattern: re.Pattern[str]) -> list[str]:
    found = []
    for path in project_files():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        found += [
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(lines, start=1)
            if pattern.search(line)
        ]
    return found


def leaves(kind: type[errors.ParlevelError]) -> list[type[errors.ParlevelError]]:
    children = [child for child in kind.__subclasses__() if child.__module__ == errors.__name__]
    return [leaf for child in children for leaf in leaves(child)] if children else [kind]


@pytest.mark.parametrize("room", ["serving/flows", "serving/grpc", "serving/http"])
@pytest.mark.parametrize("noun", NOUNS)
def test_a_question_has_its_noun_in_every_room(noun: str, room: str) -> None:
    assert (ROOT / room / f"{noun}.py").is_file()


@pytest.mark.parametrize("noun", NOUNS)
def test_a_question_has_a_test_of_its_noun(noun: str) -> None:
    assert list((ROOT / "tests").rglob(f"test_{noun}.py"))


def test_every_failure_has_a_grpc_code() -> None:
    assert set(CODES) >= set(leaves(errors.ParlevelError))


def test_every_failure_has_an_http_status() -> None:
    assert set(STATUSES) >= set(leaves(errors.ParlevelError))


def test_the_tree_of_failures_is_drawn_whole() -> None:
    drawn = set(re.findall(r"[├└]── (\w+)", errors.__doc__ or ""))
    defined = {
        name
        for name, member in vars(errors).items()
        if isinstance(member, type) and issubclass(member, errors.ParlevelError)
    }
    assert drawn == defined - {"ParlevelError"}


def test_every_setting_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    names = [f"PARLEVEL_{field.name.upper()}" for field in dataclasses.fields(settings.Settings)]
    assert [name for name in names if f"`{name}`" not in readme] == []


def test_only_the_settings_read_the_environment() -> None:
    readers = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "serving").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in {"environ", "environb", "getenv"}
    }
    assert readers <= {"serving/settings.py"}


def test_a_serving_process_loads_nothing_that_trains() -> None:
    program = f"import sys, serving.service; print([m for m in {HEAVY} if m in sys.modules])"
    finished = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert finished.stdout.splitlines()[-1] == "[]"


def test_no_file_names_a_path_of_one_machine() -> None:
    assert offences(MACHINE_PATH) == []


def test_every_open_end_carries_its_number() -> None:
    assert offences(OPEN_END) == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    vague = [path for path in project_files() if path.stem.strip("_") in VAGUE]
    assert vague == []


def test_no_module_is_empty() -> None:
    empty = [path for path in project_files() if path.suffix == ".py" and not path.stat().st_size]
    assert empty == []
