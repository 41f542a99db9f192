"""Files are either whole or not there."""

import pytest

from bitweight.files import write_files


def test_files_are_whole_or_not_there(tmp_path):
    write_files(tmp_path, {"a.v": "old", "b.v": "old"})
    with pytest.raises(TypeError):
        write_files(tmp_path, {"a.v": "new", "b.v": None})
    assert {p.name: p.read_text() for p in tmp_path.iterdir()} == {"a.v": "old", "b.v": "old"}
