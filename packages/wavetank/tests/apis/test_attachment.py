"""Files attached to records, through the Attachment API."""

import gzip
import hashlib
import json
from base64 import b64decode, b64encode
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from httpx import Response

from wavetank.app import Options, create
from wavetank.clock import Clock
from wavetank.database import attachments as contents
from wavetank.database.store import Database
from wavetank.ids import new_sys_id
from wavetank.instance import Instance

INCIDENT = "incident"
RECORDED = {
    "size_bytes", "file_name", "sys_mod_count", "average_image_color", "image_width", "sys_updated_on",
    "sys_tags", "table_name", "sys_id", "image_height", "sys_updated_by", "download_link", "content_type",
    "sys_created_on", "size_compressed", "compressed", "state", "table_sys_id", "chunk_size_bytes", "hash",
    "sys_created_by",
}  # fmt: skip
NO_RECORD = (404, "No Record found", "Record doesn't exist or ACL restricts the record retrieval")
NO_FILE = (
    400,
    "Failed to create the attachment. File part might be missing in the request.",
    "File part might be missing in the request.",
)


@pytest.fixture
def incident(admin: Any) -> str:
    made: str = admin.create(INCIDENT, {"short_description": "with files"})["sys_id"]
    return made


def upload(api: Any, sys_id: str, body: Any = b"hello", version: str = "", **more: Any) -> Response:
    params = {"table_name": INCIDENT, "table_sys_id": sys_id, "file_name": "note.txt", **more}
    headers = {"Content-Type": params.pop("content_type", "text/plain")}
    answer: Response = api.call(
        "POST", f"/api/now{version}/attachment/file", params=params, content=body, headers=headers
    )
    return answer


def attached(api: Any, sys_id: str, body: Any = b"hello", **more: Any) -> Any:
    answer = upload(api, sys_id, body, **more)
    assert answer.status_code == 201, answer.text
    return answer.json()["result"]


def refused(answer: Response) -> tuple[int, str, str | None]:
    error = answer.json()["error"]
    return answer.status_code, error["message"], error["detail"]


@pytest.mark.claim("attachment-record")
def test_an_uploaded_file_has_the_recorded_keys(admin: Any, incident: str) -> None:
    admin.instance.settings.update({"attachment_author_names": "left_out"})
    made = attached(admin, incident, b"hello " * 100)
    assert set(made) == RECORDED
    assert all(isinstance(value, str) for value in made.values())
    assert (made["size_bytes"], made["compressed"], made["chunk_size_bytes"]) == ("600", "true", "700000")
    assert int(made["size_compressed"]) < 600
    assert made["hash"] == hashlib.sha256(b"hello " * 100).hexdigest()
    assert (made["table_name"], made["table_sys_id"], made["content_type"]) == (
        INCIDENT,
        incident,
        "text/plain",
    )
    assert (made["image_width"], made["image_height"], made["average_image_color"]) == ("", "", "")


@pytest.mark.claim("attachment-author-names")
def test_the_names_of_those_who_wrote_it(admin: Any, incident: str) -> None:
    made = attached(admin, incident)
    assert (made["created_by_name"], made["updated_by_name"]) == (
        "System Administrator",
        "System Administrator",
    )
    admin.instance.settings.update({"attachment_author_names": "left_out"})
    assert "created_by_name" not in attached(admin, incident)


@pytest.mark.claim("attachment-links")
def test_links_end_in_file_and_keep_the_version(admin: Any, incident: str) -> None:
    for version in ("", "/v1"):
        answer = upload(admin, incident, version=version)
        made = answer.json()["result"]
        link = f"http://dev.example:8080/api/now{version}/attachment/{made['sys_id']}/file"
        assert (answer.headers["location"], made["download_link"]) == (link, link)
        assert admin.call("GET", link.removeprefix("http://dev.example:8080")).content == b"hello"


@pytest.mark.claim("attachment-scan")
def test_a_file_is_pending_until_it_has_been_scanned(admin: Any, incident: str) -> None:
    admin.instance.clock.freeze()
    made = attached(admin, incident)
    assert (made["state"], made["sys_mod_count"], made["sys_updated_by"]) == ("pending", "0", "admin")
    path = f"/api/now/attachment/{made['sys_id']}"
    admin.instance.clock.advance(1)
    assert admin.get(path)["state"] == "pending"
    assert admin.call("GET", f"{path}/file").content == b"hello"
    admin.instance.clock.advance(1.5)
    later = admin.get(path)
    assert (later["state"], later["sys_mod_count"], later["sys_updated_by"]) == ("available", "1", "system")
    assert later["sys_updated_on"] > made["sys_updated_on"]
    assert later["sys_created_by"] == "admin"


@pytest.mark.claim("attachment-scan")
def test_a_scan_goes_on_after_other_rows_are_in_place(admin: Any, incident: str) -> None:
    admin.instance.clock.freeze()
    made = attached(admin, incident)
    admin.instance.database.snapshot("waiting")
    admin.instance.clock.advance(5)
    admin.instance.restore("waiting")
    assert admin.get(f"/api/now/attachment/{made['sys_id']}")["state"] == "pending"
    admin.instance.clock.advance(5)
    assert admin.get(f"/api/now/attachment/{made['sys_id']}")["state"] == "available"


@pytest.mark.claim("attachment-scan")
def test_a_scan_goes_on_when_the_instance_is_started_again(admin: Any, incident: str, tmp_path: Path) -> None:
    made, path = attached(admin, incident), tmp_path / "rows.db"
    stored = Database.open(path, now=Clock().text, new_sys_id=new_sys_id)
    stored.load_image(admin.instance.database.image())
    stored.close()
    instance, _ = create(Options(store=path))
    instance.clock.freeze()
    assert instance.database.first("sys_attachment", sys_id=made["sys_id"], state="pending")
    instance.clock.advance(5)
    assert instance.database.first("sys_attachment", sys_id=made["sys_id"], state="available")
    instance.close()


@pytest.mark.claim("attachment-download")
@pytest.mark.parametrize("name", ["note.txt", "Bericht für „Ops“.pdf", 'a "quoted" \\ name.txt'])
def test_a_download_names_the_file_and_carries_its_record(admin: Any, incident: str, name: str) -> None:
    made = attached(admin, incident, b"\x00\x01\xff", file_name=name, content_type="application/pdf")
    answer = admin.call("GET", f"/api/now/attachment/{made['sys_id']}/file")
    assert (answer.status_code, answer.content) == (200, b"\x00\x01\xff")
    assert answer.headers["content-type"] == "application/pdf"
    shown = json.loads(answer.headers["x-attachment-metadata"])
    assert (shown["file_name"], shown["size_bytes"], shown["sys_id"]) == (name, "3", made["sys_id"])
    plain, _, encoded = answer.headers["content-disposition"].partition(";filename*=UTF-8''")
    assert (plain[:21], plain[-1], plain.count('"')) == ('attachment;filename="', '"', 2)
    assert (unquote(encoded), encoded.isascii(), " " in encoded) == (name, True, False)
    head = admin.call("HEAD", f"/api/now/attachment/{made['sys_id']}/file")
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.claim("attachment-compression")
def test_a_download_is_compressed_for_those_who_take_that(admin: Any, incident: str) -> None:
    for content in (b"all work and no play " * 100_000, b"brief"):
        path = f"/api/now/attachment/{attached(admin, incident, content)['sys_id']}/file"
        answer = admin.call("GET", path, headers={"Accept-Encoding": "gzip"})
        assert (answer.headers.get("content-encoding"), answer.content) == ("gzip", content)
        plain = admin.call("GET", path, headers={"Accept-Encoding": "identity"})
        assert ("content-encoding" in plain.headers, plain.content) == (False, content)


@pytest.mark.claim("attachment-pieces")
def test_content_is_kept_in_pieces_of_one_gzip_stream(admin: Any, incident: str) -> None:
    noise = b"".join(hashlib.sha256(bytes([n % 256, n // 256])).digest() for n in range(50_000))  # 1.6 MB
    made = attached(admin, incident, noise)
    rows = admin.get("sys_attachment_doc", sysparm_query=f"sys_attachment={made['sys_id']}^ORDERBYposition")
    assert [row["position"] for row in rows] == ["0", "1", "2"]
    pieces = [b64decode(row["data"]) for row in rows]
    assert [row["length"] for row in rows] == [str(len(piece)) for piece in pieces]
    assert [len(piece) for piece in pieces[:2]] == [contents.CHUNK] * 2
    assert gzip.decompress(b"".join(pieces)) == noise
    assert int(made["size_compressed"]) == sum(map(len, pieces))
    assert admin.call("GET", f"/api/now/attachment/{made['sys_id']}/file").content == noise


def test_many_pieces_come_back_in_the_order_of_numbers(admin: Any, incident: str) -> None:
    database = admin.instance.database
    made = attached(admin, incident)
    contents.drop_content(database, made["sys_id"])
    packed = gzip.compress(b"0123456789abcdef")
    for position in range(len(packed)):
        data = b64encode(packed[position : position + 1]).decode()
        row = {"sys_attachment": made["sys_id"], "position": str(position), "length": "1", "data": data}
        database.insert("sys_attachment_doc", row)
    assert admin.call("GET", f"/api/now/attachment/{made['sys_id']}/file").content == b"0123456789abcdef"


@pytest.mark.claim("attachment-list")
def test_lists_are_queried_paged_and_counted(admin: Any, incident: str) -> None:
    for number in range(5):
        attached(admin, incident, file_name=f"{number}.txt")
    query = f"table_sys_id={incident}^ORDERBYDESCfile_name"
    answer = admin.call(
        "GET", "/api/now/v1/attachment", params={"sysparm_query": query, "sysparm_limit": "2"}
    )
    assert [row["file_name"] for row in answer.json()["result"]] == ["4.txt", "3.txt"]
    assert answer.headers["x-total-count"] == "5"
    rest = admin.get("/api/now/attachment", sysparm_query=query, sysparm_limit="2", sysparm_offset="4")
    assert [row["file_name"] for row in rest] == ["0.txt"]
    named = admin.get(
        "/api/now/attachment", table_name=INCIDENT, table_sys_id=incident, sysparm_limit="10000"
    )
    assert len(named) == 5
    assert admin.get("/api/now/v1/attachment", sysparm_query="file_name=none") == []


@pytest.mark.claim("attachment-list")
def test_a_list_has_a_thousand_at_most_unless_asked(admin: Any, incident: str) -> None:
    database = admin.instance.database
    with database.transaction():
        for _ in range(1001):
            database.insert("sys_attachment", {"table_name": INCIDENT, "table_sys_id": incident})
    answer = admin.call("GET", "/api/now/attachment")
    assert (len(answer.json()["result"]), answer.headers["x-total-count"]) == (1000, "1001")
    assert len(admin.get("/api/now/attachment", sysparm_limit="2000")) == 1001


def test_a_list_answers_no_query_on_what_its_caller_may_not_read(admin: Any) -> None:
    guesser = admin.user("guesser")
    params = {"sysparm_query": "RLQUERYsys_properties.sys_id,<1^value>A^ENDRLQUERY"}
    for path in ("/api/now/attachment", "sys_attachment"):
        assert admin.call("GET", path, params=params).status_code == 200
        assert guesser.refused("GET", path, params=params)[:2] == (
            403,
            "Insufficient rights to query records",
        )


@pytest.mark.claim("attachment-form")
def test_a_form_ends_with_the_file(admin: Any, incident: str) -> None:
    fields = {"table_name": INCIDENT, "table_sys_id": incident}
    files = {"uploadFile": ("ä note.txt", b"in a form" * 10_000, "text/csv")}
    answer = admin.call("POST", "/api/now/v1/attachment/upload", data=fields, files=files)
    assert answer.status_code == 201, answer.text
    made = answer.json()["result"]
    assert (made["file_name"], made["content_type"], made["size_bytes"]) == (
        "ä note.txt",
        "text/csv",
        "90000",
    )
    assert answer.headers["location"].endswith(f"/api/now/v1/attachment/{made['sys_id']}/file")
    assert admin.call("GET", f"/api/now/attachment/{made['sys_id']}/file").content == b"in a form" * 10_000


def _form(*parts: tuple[str, str], end: str = "--X--\r\n") -> bytes:
    text = "".join(f"--X\r\nContent-Disposition: form-data; {head}\r\n\r\n{body}\r\n" for head, body in parts)
    return (text + end).encode()


FILE = ('name="f"; filename="a.txt"', "abc")


@pytest.mark.claim("attachment-form")
def test_a_form_that_is_not_right(admin: Any, incident: str) -> None:
    place = [('name="table_name"', INCIDENT), ('name="table_sys_id"', incident)]
    plain = "multipart/form-data; boundary=X"

    def post(body: bytes, kind: str = plain) -> tuple[int, str, str | None]:
        headers = {"Content-Type": kind}
        return refused(admin.call("POST", "/api/now/attachment/upload", content=body, headers=headers))

    assert post(_form(*place)) == NO_FILE
    assert post(_form(*place, ('name="f"; filename="a.txt"', ""))) == NO_FILE
    assert post(_form(*place, FILE, end="")) == NO_FILE
    assert post(_form(*place, FILE), f"{plain}; charset=utf-8") == NO_FILE
    assert post(_form(*place, FILE), "application/json") == NO_FILE
    assert post(b"rubbish") == NO_FILE
    status, message, detail = post(_form(FILE, *place))
    assert (status, message) == (400, "Missing required parameters")
    assert detail == "Not given or empty: table_name, table_sys_id"
    assert admin.get("/api/now/attachment", table_sys_id=incident) == []
    assert admin.instance.database.find("sys_attachment_doc") == []


@pytest.mark.claim("attachment-parameters")
@pytest.mark.parametrize("missing", ["table_name", "table_sys_id", "file_name"])
def test_what_is_missing_is_said(admin: Any, incident: str, missing: str) -> None:
    status, message, detail = refused(upload(admin, incident, **{missing: ""}))
    assert (status, message, detail) == (400, "Missing required parameters", f"Not given or empty: {missing}")


@pytest.mark.claim("attachment-parameters")
def test_a_record_that_is_not_there(admin: Any, incident: str) -> None:
    assert refused(upload(admin, "0" * 32)) == NO_RECORD
    assert refused(upload(admin, incident, table_name="no_such_table")) == NO_RECORD
    assert refused(upload(admin, incident, table_name="problem")) == NO_RECORD
    assert refused(admin.call("GET", f"/api/now/attachment/{incident}")) == NO_RECORD
    assert refused(admin.call("GET", f"/api/now/attachment/{incident}/file")) == NO_RECORD
    assert refused(admin.call("DELETE", f"/api/now/attachment/{incident}")) == NO_RECORD


@pytest.mark.claim("attachment-parameters")
def test_other_parameters_are_ignored(admin: Any, incident: str) -> None:
    made = attached(admin, incident, hash="0" * 64, encryption_context="x", content_type_="y")
    assert made["hash"] == hashlib.sha256(b"hello").hexdigest()


@pytest.mark.claim("attachment-empty")
def test_an_empty_file_is_refused(admin: Any, incident: str) -> None:
    assert refused(upload(admin, incident, b"")) == NO_FILE
    admin.instance.settings.update({"attachment_empty": "accepted"})
    made = attached(admin, incident, b"")
    assert (made["size_bytes"], made["hash"]) == ("0", hashlib.sha256(b"").hexdigest())
    assert admin.call("GET", f"/api/now/attachment/{made['sys_id']}/file").content == b""


@pytest.mark.claim("attachment-content-type")
def test_a_file_without_a_type(admin: Any, incident: str) -> None:
    params = {"table_name": INCIDENT, "table_sys_id": incident, "file_name": "x"}
    answer = admin.call("POST", "/api/now/attachment/file", params=params, content=b"x")
    assert answer.json()["result"]["content_type"] == "application/octet-stream"
    admin.instance.settings.update({"attachment_content_type": "needed"})
    answer = admin.call("POST", "/api/now/attachment/file", params=params, content=b"x")
    assert refused(answer) == (400, "Missing required parameters", "Not given or empty: Content-Type")


@pytest.mark.claim("attachment-creation-time")
def test_a_file_may_be_older_than_its_upload(admin: Any, incident: str) -> None:
    made = attached(admin, incident, creation_time="2024-05-06 07:08:09")
    assert made["sys_created_on"] == "2024-05-06 07:08:09"
    assert upload(admin, incident, creation_time="soon").status_code == 400


@pytest.mark.claim("attachment-max-size")
def test_a_file_may_be_too_large(admin: Any, incident: str) -> None:
    admin.instance.set_property("com.glide.attachment.max_size", "1")
    large = b"x" * (1_048_576 + 1)
    detail = "Rejected large REST payload with content-length = 1048577 bytes. Max allowed: 1048576 bytes."
    assert refused(upload(admin, incident, large)) == (400, "Exception while reading request", detail)
    assert attached(admin, incident, large[1:])["size_bytes"] == "1048576"

    def unsaid() -> Any:
        yield large

    status, message, _ = refused(upload(admin, incident, unsaid()))
    assert (status, message) == (400, "Exception while reading request")
    fields = {"table_name": INCIDENT, "table_sys_id": incident}
    answer = admin.call("POST", "/api/now/attachment/upload", data=fields, files={"f": ("a", large)})
    assert refused(answer)[:2] == (400, "Exception while reading request")


@pytest.mark.claim("attachment-extensions")
def test_only_listed_extensions_are_taken(admin: Any, incident: str) -> None:
    admin.instance.set_property("glide.attachment.extensions", "txt, .PDF")
    attached(admin, incident, file_name="a.TXT")
    made = attached(admin, incident, file_name="a.pdf")
    assert upload(admin, incident, file_name="a.exe").status_code == 400
    assert upload(admin, incident, file_name="txt").status_code == 400
    renamed = admin.call("PATCH", f"/api/now/attachment/{made['sys_id']}", json={"file_name": "a.exe"})
    assert renamed.status_code == 400


@pytest.mark.claim("attachment-role")
def test_only_listed_roles_may_attach(admin: Any, incident: str) -> None:
    itil = admin.user("clerk", "itil")
    attached(itil, incident)
    admin.instance.set_property("glide.attachment.role", "catalog_admin,problem_admin")
    denied = (403, "Operation Failed", "ACL Exception Insert Failed due to security constraints")
    assert refused(upload(itil, incident)) == denied
    admin.instance.set_property("glide.attachment.role", "public")
    attached(itil, incident)


@pytest.mark.claim("attachment-rename")
def test_a_file_is_renamed(admin: Any, incident: str) -> None:
    made = attached(admin, incident)
    path = f"/api/now/attachment/{made['sys_id']}"
    answer = admin.call("PATCH", path, json={"file_name": "other.txt", "content_type": "text/html"})
    assert (answer.status_code, answer.content) == (204, b"")
    shown = admin.get(path)
    assert (shown["file_name"], shown["content_type"]) == ("other.txt", "text/plain")
    assert admin.call("PATCH", path, json={}).status_code == 400
    override = {"X-HTTP-Method-Override": "PATCH"}
    answer = admin.call("POST", path, json={"file_name": "third.txt"}, headers=override)
    assert (answer.status_code, admin.get(path)["file_name"]) == (204, "third.txt")
    assert admin.call("POST", path, json={}).status_code == 405


@pytest.mark.claim("attachment-delete")
def test_a_deleted_file_is_gone_whole(admin: Any, incident: str) -> None:
    made, other = attached(admin, incident), attached(admin, incident)
    path = f"/api/now/attachment/{made['sys_id']}"
    admin.call("POST", f"{path}/attributes", json={"key": "alt", "value": "x"})
    answer = admin.call("DELETE", path)
    assert (answer.status_code, answer.content) == (204, b"")
    assert refused(admin.call("GET", f"{path}/file")) == NO_RECORD
    database = admin.instance.database
    assert {row["sys_attachment"] for row in database.find("sys_attachment_doc")} == {other["sys_id"]}
    assert database.find("sys_attachment_attribute") == []


@pytest.mark.claim("attachment-delete")
def test_files_go_with_their_record(admin: Any, incident: str) -> None:
    made = attached(admin, incident)
    admin.call("POST", f"/api/now/attachment/{made['sys_id']}/attributes", json={"key": "alt", "value": "x"})
    assert admin.call("DELETE", f"incident/{incident}").status_code == 204
    database = admin.instance.database
    for table in ("sys_attachment", "sys_attachment_doc", "sys_attachment_attribute"):
        assert database.find(table) == []


@pytest.mark.claim("attachment-delete")
def test_a_file_deleted_through_the_table_api_is_gone_whole(admin: Any, incident: str) -> None:
    made = attached(admin, incident)
    assert admin.call("DELETE", f"sys_attachment/{made['sys_id']}").status_code == 204
    assert admin.instance.database.find("sys_attachment_doc") == []


@pytest.mark.claim("attachment-rights")
def test_a_file_is_seen_by_those_who_see_its_record(admin: Any, incident: str) -> None:
    made = attached(admin, incident)
    path = f"/api/now/attachment/{made['sys_id']}"
    reader = admin.user("reader", "sn_incident_read")
    assert reader.get(path)["file_name"] == "note.txt"
    assert reader.call("GET", f"{path}/file").content == b"hello"
    assert refused(reader.call("DELETE", path))[:2] == (403, "Operation Failed")
    assert refused(reader.call("PATCH", path, json={"file_name": "x"}))[:2] == (403, "Operation Failed")
    assert refused(upload(reader, incident))[:2] == (403, "Operation Failed")

    stranger = admin.user("stranger")
    assert stranger.get("/api/now/attachment", table_sys_id=incident) == []
    for method, end in (("GET", ""), ("GET", "/file"), ("DELETE", ""), ("GET", "/attributes")):
        assert refused(stranger.call(method, path + end)) == NO_RECORD
    assert refused(upload(stranger, incident)) == NO_RECORD


@pytest.mark.claim("attachment-rights")
def test_the_table_api_hides_the_same_files(admin: Any, incident: str) -> None:
    made = attached(admin, incident)
    stranger, reader = admin.user("stranger"), admin.user("reader", "sn_incident_read")
    assert [row["sys_id"] for row in reader.get("sys_attachment")] == [made["sys_id"]]
    assert stranger.get("sys_attachment") == []
    assert refused(stranger.call("GET", f"sys_attachment/{made['sys_id']}")) == NO_RECORD
    assert "download_link" not in reader.get(f"sys_attachment/{made['sys_id']}")
    assert reader.get("sys_attachment_doc") == []


@pytest.mark.claim("attachment-rights")
def test_a_file_without_a_record_is_the_administrators(admin: Any) -> None:
    row = admin.instance.database.insert("sys_attachment", {"table_name": INCIDENT, "table_sys_id": "0" * 32})
    assert admin.get(f"/api/now/attachment/{row['sys_id']}")["table_sys_id"] == "0" * 32
    clerk = admin.user("clerk", "itil")
    assert refused(clerk.call("GET", f"/api/now/attachment/{row['sys_id']}")) == NO_RECORD


@pytest.mark.claim("attachment-attributes")
def test_attributes(admin: Any, incident: str) -> None:
    path = f"/api/now/attachment/{attached(admin, incident)['sys_id']}/attributes"
    assert admin.get(path) == []
    answer = admin.call("POST", path, json={"key": "alt text", "value": "a cat"})
    assert (answer.status_code, answer.json()) == (201, {"result": {"key": "alt text", "value": "a cat"}})
    assert admin.call("POST", path, json={"key": "b", "value": "2"}).status_code == 201
    assert admin.get(path) == [{"key": "alt text", "value": "a cat"}, {"key": "b", "value": "2"}]
    assert admin.get(f"{path}/alt%20text") == {"key": "alt text", "value": "a cat"}
    answer = admin.call("PUT", f"{path}/b", json={"value": "3"})
    assert (answer.status_code, answer.json()) == (200, {"result": {"key": "b", "value": "3"}})
    assert admin.call("DELETE", f"{path}/b").status_code == 204
    assert refused(admin.call("GET", f"{path}/b")) == NO_RECORD
    assert refused(admin.call("PUT", f"{path}/b", json={"value": "3"})) == NO_RECORD
    for bad in ({"key": "c"}, {"value": "c"}, {"key": "alt text", "value": "again"}):
        assert admin.call("POST", path, json=bad).status_code == 400
    assert admin.call("DELETE", path).status_code == 204
    assert admin.get(path) == []


@pytest.mark.claim("attachment-xml")
def test_records_come_as_xml_too(admin: Any, incident: str) -> None:
    attached(admin, incident)
    answer = admin.call("GET", "/api/now/attachment", headers={"Accept": "application/xml"})
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<file_name>note.txt</file_name>" in answer.text


@pytest.mark.claim("attachment-rules")
def test_rules_on_attachments_run(admin: Any, incident: str, instance: Instance) -> None:
    instance.database.insert(
        "sys_script",
        {
            "name": "No files",
            "collection": "sys_attachment",
            "when": "before",
            "order": "100",
            "active": "true",
            "action_insert": "true",
            "abort_action": "true",
            "filter_condition": "file_name=no.txt",
        },
    )
    assert refused(upload(admin, incident, file_name="no.txt"))[:2] == (403, "Operation Failed")
    assert instance.database.find("sys_attachment_doc") == []
    attached(admin, incident, file_name="yes.txt")
