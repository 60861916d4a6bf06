import json
import stat

import pytest

from dashlib.errors import UsageError
from dashlib.lab import refresh


def notebook(folder, name, source, outputs=()):
    folder.mkdir(exist_ok=True)
    cell = {"cell_type": "code", "metadata": {}, "execution_count": None, "source": source, "outputs": [*outputs]}
    (folder / name).write_text(json.dumps({"cells": [cell], "nbformat": 4, "nbformat_minor": 5, "metadata": {}}))


def source(folder, name):
    return json.loads((folder / name).read_text())["cells"][0]["source"]


@pytest.fixture
def shipped(tmp_path):
    notebook(tmp_path / "shipped", "start.ipynb", "one")
    notebook(tmp_path / "shipped", "explorer.ipynb", "look")
    return tmp_path / "shipped"


@pytest.fixture
def own(tmp_path, shipped):
    refresh(tmp_path / "own", shipped)
    return tmp_path / "own"


def test_ones_copies_are_for_oneself_alone(own):
    assert sorted(file.name for file in own.glob("*.ipynb")) == ["explorer.ipynb", "start.ipynb"]
    assert stat.S_IMODE(own.stat().st_mode) == 0o700
    assert stat.S_IMODE((own / "start.ipynb").stat().st_mode) == 0o600


def test_a_newer_notebook_replaces_a_copy_that_was_only_run(own, shipped):
    notebook(own, "start.ipynb", ["o", "ne"], outputs=[{"output_type": "stream", "name": "stdout", "text": "1"}])
    assert refresh(own, shipped) == []
    assert source(own, "start.ipynb") == ["o", "ne"]
    notebook(shipped, "start.ipynb", "two")
    assert refresh(own, shipped) == []
    assert source(own, "start.ipynb") == "two"


def test_a_copy_that_was_changed_stays_and_a_newer_notebook_is_put_beside_it_once(own, shipped):
    notebook(own, "start.ipynb", "mine")
    assert refresh(own, shipped) == []
    notebook(shipped, "start.ipynb", "two")
    assert refresh(own, shipped) == ["start (dashlib).ipynb"]
    assert (source(own, "start.ipynb"), source(own, "start (dashlib).ipynb")) == ("mine", "two")
    assert refresh(own, shipped) == []


def test_what_cannot_be_read_is_taken_for_changed_and_a_copy_that_was_deleted_comes_back(own, shipped):
    (own / "start.ipynb").write_text("{")
    (own / "explorer.ipynb").unlink()
    (own / ".dashlib.json").write_text("[")
    assert refresh(own, shipped) == ["start (dashlib).ipynb"]
    assert (own / "start.ipynb").read_text() == "{"
    assert source(own, "explorer.ipynb") == "look"


def test_notebooks_of_ones_own_are_left_alone(own, shipped):
    notebook(own, "mine.ipynb", "x")
    refresh(own, shipped)
    assert source(own, "mine.ipynb") == "x"


def test_a_folder_that_cannot_be_written_is_said(tmp_path, shipped):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="DL-LAB-002"):
        refresh(tmp_path / "file", shipped)
