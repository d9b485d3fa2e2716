"""The control surface takes up a file and commits it in one go."""

import pytest

from wavetank.control import records
from wavetank.updates.commit import NotCommitted


@pytest.fixture
def content(instance, files):
    return files.unload(files.update(files.record("sys_user_role", files.sid("r"), name="u_r"))).decode()


def test_a_file_is_committed_by_body_or_path(instance, files, content, tmp_path):
    (row,) = records.load(instance, {"format": "update_set", "body": content})
    assert (row["sys_id"], row["state"]) == (files.set, "committed")
    path = tmp_path / "set.xml"
    path.write_text(content.replace("u_r", "u_s"))
    records.load(instance, {"format": "update_set", "path": str(path)})
    assert instance.database.get("sys_user_role", files.sid("r"))["name"] == "u_s"


def test_a_problem_stops_all_of_it(instance, files):
    bad = files.unload(*files.access("task", ["read"], files.sid("nowhere"))).decode()
    with pytest.raises(NotCommitted, match="Could not find a record in sys_user_role"):
        records.load(instance, {"format": "update_set", "body": bad})
    assert instance.database.find("sys_remote_update_set") == []
    with pytest.raises(ValueError, match="cannot be read"):
        records.load(instance, {"format": "update_set", "body": "no xml"})
    with pytest.raises(ValueError, match=r"an existing \.xml file"):
        records.load(instance, {"format": "update_set", "path": "/etc/passwd"})
