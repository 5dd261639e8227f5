"""Pages of datasets, asked for by the Django client: what they show, what forms do, files in and out, and whose they
are."""

from __future__ import annotations

import csv
import io
import json
import re
import sys
from datetime import timedelta
from html import unescape

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from accounts.access import ProjectScope
from accounts.audit import SYSTEM
from accounts.models import AuditLog
from accounts.roles import Role
from evals.actions import datasets as dataset_actions
from evals.actions import imports, item_acts
from evals.actions import items as item_actions
from evals.datasets.changes import DatasetChange, ItemChange, Keep
from evals.datasets.files import change_of
from evals.models import Dataset, DatasetImport, DatasetItemVersion
from evals.queries import items as queries
from tests.tracing.conftest import own_inbox  # noqa: F401 - a fixture
from tests.tracing.page_data import HOSTILE, put_trace
from tracing.actions import jobs
from tracing.models import MediaLink
from tracing.models.jobs import Job, JobStatus
from tracing.models.media import Media

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("analytics_server")]

QUESTION = {"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}}}


@pytest.fixture
def scope(workspace):
    return ProjectScope(workspace.project.pk, Role.OWNER, user_id=workspace.alice.pk)


@pytest.fixture
def dataset(scope):
    return make(scope)


def make(scope, name="support/questions", **fields):
    return dataset_actions.create_dataset(scope, DatasetChange(name=name, **fields), actor=SYSTEM)


def put(scope, dataset, item_id="", **fields):
    return item_actions.put_item(scope, dataset, ItemChange(id=item_id, **fields), actor=SYSTEM)


def address(project, name, *args):
    return reverse(f"evals:{name}", args=[project.pk, *args])


def text_of(response):
    return unescape(response.content.decode())


def ids(scope, dataset, **which):
    return [item.id for item in queries.list_items(scope, dataset, **which)]


# --- The list, and a dataset ------------------------------------------------------------------------------
def test_the_list_has_folders_numbers_and_words(alice, project, scope, dataset):
    put(scope, dataset, "a", input=1)
    put(scope, dataset, "b", input=1, status="ARCHIVED")
    make(scope, "loose", description="Fragen auf Deutsch")
    page = text_of(alice.get(address(project, "dataset-list")))
    assert "1 dataset" in page
    assert ">loose<" in page
    assert ">questions<" not in page
    inside = text_of(alice.get(address(project, "dataset-list"), {"folder": "support"}))
    assert re.search(r"<b>questions</b>.*?<td class=\"num end\">1</td>", inside, re.DOTALL)
    found = text_of(alice.get(address(project, "dataset-list"), {"q": "deutsch"}))
    assert ">loose<" in found
    assert "support" not in found.split('id="datasets"')[1]
    assert "Nothing fits" in text_of(alice.get(address(project, "dataset-list"), {"q": "nowhere"}))
    assert "Examples to try your application on" not in found


def test_an_empty_project_is_told_what_datasets_are_for(alice, bob, project):
    assert "Make the first dataset" in text_of(alice.get(address(project, "dataset-list")))
    assert "Make the first dataset" not in text_of(bob.get(address(project, "dataset-list")))


def test_a_dataset_is_made_changed_and_deleted(alice, project):
    made = alice.post(
        address(project, "dataset-create"),
        {"name": "a/b", "description": "d", "metadata": '{"k": 1}', "input_schema": json.dumps(QUESTION)},
    )
    dataset = Dataset.objects.get(name="a/b")
    assert (made.status_code, made["Location"]) == (303, address(project, "dataset-detail", dataset.pk))
    assert (dataset.metadata, dataset.input_schema) == ({"k": 1}, QUESTION)
    changed = {"dataset": dataset.pk, "name": "a/c", "description": "", "metadata": "", "input_schema": ""}
    assert alice.post(address(project, "dataset-update"), changed).status_code == 303
    dataset.refresh_from_db()
    assert (dataset.name, dataset.description, dataset.metadata, dataset.input_schema) == ("a/c", "", None, None)
    refused = alice.post(address(project, "dataset-delete-confirm"), {"dataset": dataset.pk, "typed": "a/b"})
    assert refused.status_code == 422
    alice.post(address(project, "dataset-delete-confirm"), {"dataset": dataset.pk, "typed": "a/c"})
    assert not Dataset.objects.exists()
    actions = set(AuditLog.objects.filter(action__startswith="dataset").values_list("action", flat=True))
    assert actions == {"dataset.create", "dataset.update", "dataset.delete"}


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"name": ""}, "A dataset has a name"),
        ({"name": "taken"}, "There is a dataset called taken."),
        ({"name": "x", "metadata": "{"}, "Not JSON"),
        ({"name": "x", "input_schema": '{"type": "nothing"}'}, "is not valid under any of the given schemas"),
        ({"name": "x", "expected_output_schema": "text"}, "A JSON schema is an object"),
    ],
)
def test_what_is_wrong_with_a_dataset_is_said_in_place(alice, project, scope, fields, words):
    make(scope, "taken")
    answer = alice.post(address(project, "dataset-create"), fields)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert Dataset.objects.count() == 1


def test_a_schema_that_items_do_not_fit_names_them(alice, project, scope, dataset):
    put(scope, dataset, "bad-one", input={"question": 1})
    fields = {"dataset": dataset.pk, "name": dataset.name, "input_schema": json.dumps(QUESTION)}
    answer = alice.post(address(project, "dataset-update"), fields)
    assert answer.status_code == 422
    page = text_of(answer)
    assert "Item bad-one: input $.question: 1 is not of type 'string'" in page
    assert address(project, "dataset-item", dataset.pk, "bad-one") in page
    dataset.refresh_from_db()
    assert dataset.input_schema is None


def test_a_dataset_is_duplicated_with_its_items(alice, project, scope, dataset):
    for number in range(3):
        put(scope, dataset, f"i{number}", input=number, metadata={"n": number})
    put(scope, dataset, "away", input=9, status="ARCHIVED")
    page = alice.get(address(project, "dataset-duplicate"), {"dataset": dataset.pk})
    assert 'value="support/questions-copy"' in text_of(page)
    alice.post(address(project, "dataset-duplicate-save"), {"dataset": dataset.pk, "new": "copy"})
    copy = Dataset.objects.get(name="copy")
    assert [item.input for item in queries.list_items(scope, copy)] == [2, 1, 0]
    assert not set(ids(scope, copy)) & set(ids(scope, dataset))
    taken = alice.post(address(project, "dataset-duplicate-save"), {"dataset": dataset.pk, "new": "copy"})
    assert taken.status_code == 422
    # Killed behind a step, the job does it again: the same items.
    job = Job.objects.get(kind="dataset-duplicate")
    Job.objects.filter(pk=job.pk).update(status=JobStatus.QUEUED, cursor={}, finished_at=None)
    jobs.run_job(Job.objects.get(pk=job.pk))
    assert DatasetItemVersion.objects.filter(dataset=copy).count() == 3


# --- Items ------------------------------------------------------------------------------------------------
def test_items_are_listed_searched_and_paged(alice, project, scope, dataset):
    url = address(project, "dataset-detail", dataset.pk)
    item_actions.put_items(
        scope, dataset, [ItemChange(id=f"n{number}", input=f"needle {number}") for number in range(130)], actor=SYSTEM
    )
    put(scope, dataset, "long", input="x" * 100_000 + "END")
    put(scope, dataset, "quoted", input={"said": 'a "quote"\nand a line'})
    page = alice.get(url)
    assert "132 items" in text_of(page)
    assert b"END" not in page.content  # the beginning only
    assert len(page.content) < 300_000
    older = re.search(r'rel="next" href="([^"]+)"', page.content.decode()).group(1)
    second = text_of(alice.get(url + unescape(older)))
    assert second.count('name="id"') == 32
    assert "2 items" not in text_of(alice.get(url, {"q": "needle"}))
    assert "1 item<" in text_of(alice.get(url, {"q": "needle 77"}))
    assert "1 item<" in text_of(alice.get(url, {"q": '"quote"\nand'}))
    assert "Nothing is archived" in text_of(alice.get(url, {"status": "archived"}))
    assert alice.get(url, {"after": "broken", "version": "soon", "status": "no", "tab": "what"}).status_code == 200


def test_items_as_of_a_time_are_read_only(alice, project, scope, dataset):
    first = put(scope, dataset, "a", input="before")
    put(scope, dataset, "a", input="after")
    url = address(project, "dataset-detail", dataset.pk)
    then = text_of(alice.get(url, {"version": first.valid_from.isoformat()}))
    assert "before" in then
    assert "after" not in then.split('id="items"')[1]
    assert "The items as of" in then
    assert 'name="id"' not in then
    item = text_of(alice.get(address(project, "dataset-item", dataset.pk, "a"), {"version": first.valid_from}))
    assert "The item as of" in item
    assert "edit=1" not in item
    long_ago = (first.valid_from - timedelta(days=1)).isoformat()
    assert "Nothing was in it then" in text_of(alice.get(url, {"version": long_ago}))
    history = text_of(alice.get(url, {"tab": "history"}))
    assert history.count('class="row-link"') == 2


def test_an_item_is_written_and_edited(alice, project, scope, dataset):
    dataset_actions.update_dataset(scope, dataset.pk, DatasetChange(input_schema=QUESTION), actor=SYSTEM)
    form = text_of(alice.get(address(project, "dataset-item-new"), {"dataset": dataset.pk}))
    assert '"question": "…"' in form
    save = address(project, "dataset-item-save")
    wrong = alice.post(save, {"dataset": dataset.pk, "input": '{"question": 5}', "expected_output": "[1"})
    assert wrong.status_code == 422
    assert "Not JSON" in text_of(wrong)
    wrong = alice.post(save, {"dataset": dataset.pk, "input": '{"question": 5}'})
    assert re.search(r'id="input-error".*?\$\.question.*?5 is not of type \'string\'', text_of(wrong), re.DOTALL)
    alice.post(save, {"dataset": dataset.pk, "input": '{"question": "?"}', "expected_output": "plain", "item_id": "i"})
    first = queries.get_item(scope, "i")
    assert (first.input, first.expected_output, first.metadata) == ({"question": "?"}, "plain", None)
    taken = alice.post(save, {"dataset": dataset.pk, "input": '{"question": "?"}', "item_id": "i"})
    assert "There is an item with this id" in text_of(taken)
    edit = alice.get(address(project, "dataset-item", dataset.pk, "i"), {"edit": "1"})
    assert ">\nplain</textarea>" in edit.content.decode()
    alice.post(save, {"dataset": dataset.pk, "old": "i", "input": '{"question": "!"}', "expected_output": '"12"'})
    item = queries.get_item(scope, "i")
    assert (item.input, item.expected_output) == ({"question": "!"}, "12")
    page = address(project, "dataset-item", dataset.pk, "i")
    compared = text_of(alice.get(page, {"compare": first.valid_from.isoformat()}))
    assert "removed:" in compared
    assert "added:" in compared


def test_addresses_that_sdks_print_lead_to_the_dataset(alice, project, scope, dataset):
    put(scope, dataset, "a/b", input=1)
    old = f"/project/{project.pk}/datasets"
    assert alice.get(old)["Location"] == address(project, "dataset-list")
    detail = address(project, "dataset-detail", dataset.pk)
    for path in (dataset.pk, f"{dataset.pk}/", f"{dataset.pk}/items"):
        assert alice.get(f"{old}/{path}")["Location"] == detail
    assert alice.get(f"{old}/{dataset.pk}/runs")["Location"] == f"{detail}?tab=experiments"
    item = alice.get(f"{old}/{dataset.pk}/items/a%2Fb")["Location"]
    assert item == address(project, "dataset-item", dataset.pk, "a/b")


def test_several_items_are_archived_used_again_and_deleted(alice, project, scope, dataset):
    for number in range(5):
        put(scope, dataset, f"i{number}", input=f"{number} {'odd' if number % 2 else 'even'}")
    act = address(project, "dataset-items-act")
    alice.post(act, {"dataset": dataset.pk, "act": "archive", "id": ["i0", "i1"]})
    assert ids(scope, dataset) == ["i4", "i3", "i2"]
    alice.post(act, {"dataset": dataset.pk, "act": "restore", "all": "1", "query": "?status=archived&q=odd"})
    assert set(ids(scope, dataset)) == {"i1", "i2", "i3", "i4"}
    asked = alice.post(act, {"dataset": dataset.pk, "act": "delete", "all": "1", "query": "q=even"})
    assert "Delete 2 items?" in text_of(asked)
    assert len(ids(scope, dataset)) == 4
    alice.post(act, {"dataset": dataset.pk, "act": "delete", "all": "1", "query": "q=even", "confirmed": "1"})
    assert set(ids(scope, dataset)) == {"i1", "i3"}
    assert set(ids(scope, dataset, status=None)) == {"i0", "i1", "i3"}
    # What does not fit the schema any more is not put to use again, and that is said.
    dataset_actions.update_dataset(scope, dataset.pk, DatasetChange(input_schema={"pattern": "odd"}), actor=SYSTEM)
    alice.post(act, {"dataset": dataset.pk, "act": "restore", "id": "i0"})
    assert "i0" not in ids(scope, dataset)
    job = Job.objects.latest("created_at")
    assert (job.failed, job.result["failures"][0]["id"]) == (1, "i0")
    page = text_of(alice.get(reverse("tracing:job-detail", args=[project.pk, job.pk])))
    assert "does not match 'odd'" in page
    assert alice.post(act, {"dataset": dataset.pk, "act": "nothing", "id": "i1"}).status_code == 400
    assert alice.post(act, {"dataset": dataset.pk, "act": "delete", "confirmed": "1"}).status_code == 303
    assert len(ids(scope, dataset)) == 2


def test_what_a_killed_worker_did_to_items_is_counted(scope, dataset, monkeypatch):
    for name in "abc":
        put(scope, dataset, name, input=name)
    monkeypatch.setattr(item_acts, "_AT_ONCE_SECONDS", 0)
    monkeypatch.setattr(jobs, "call_worker", lambda: None)
    wanted = item_acts.Wanted(dataset_id=dataset.pk, ids=("a", "b"))
    job = item_acts.start(scope, wanted, "delete", actor=SYSTEM)
    with monkeypatch.context() as killed:
        killed.setattr(jobs.Step, "save", lambda *_given, **_how: sys.exit())
        with pytest.raises(SystemExit):
            jobs.run_job(job)
    job.refresh_from_db()
    jobs.run_job(job)
    job.refresh_from_db()
    assert (job.status, job.done, job.failed, ids(scope, dataset)) == (JobStatus.DONE, 2, 0, ["c"])


def test_hostile_content_is_text(alice, project, scope, dataset):
    put(scope, dataset, HOSTILE, input={HOSTILE: HOSTILE}, expected_output=HOSTILE, metadata=[HOSTILE])
    for url in (address(project, "dataset-detail", dataset.pk), address(project, "dataset-item", dataset.pk, HOSTILE)):
        page = alice.get(url)
        assert page.status_code == 200
        assert b"<script>alert" not in page.content
        assert b"<img src=x" not in page.content


# --- Files in ---------------------------------------------------------------------------------------------
def upload(client, project, dataset, content, name="items.csv"):
    content = content.encode() if isinstance(content, str) else content
    file = SimpleUploadedFile(name, content)
    return client.post(address(project, "dataset-import-upload"), {"dataset": dataset.pk, "file": file})


def start(client, project, *, json_cells=True, **columns):
    kept = DatasetImport.objects.latest("created_at")
    fields = {f"column-{kept.columns.index(name)}": target for name, target in columns.items()}
    fields |= {"json": "1"} if json_cells else {}
    answer = client.post(address(project, "dataset-import-start"), {"import": kept.pk, **fields})
    assert answer.status_code == 303, text_of(answer)
    kept.refresh_from_db()
    return kept


def test_a_csv_becomes_items(alice, project, scope, dataset):
    content = '\ufeffquestion,Answer,lang,note\n"How, ""so""?",Yes,en,\n"多行\n问题",12,zh,"{""a"": 1}"\n'
    review = upload(alice, project, dataset, content)
    page = text_of(alice.get(review["Location"]))
    assert "2 rows" in page
    assert 'How, "so"?' in page
    kept = start(alice, project, question="input", Answer="expected_output", lang="metadata", note="metadata")
    found = [(item.input, item.expected_output, item.metadata) for item in queries.list_items(scope, dataset)]
    assert found[::-1] == [
        ('How, "so"?', "Yes", {"lang": "en", "note": None}),
        ("多行\n问题", 12, {"lang": "zh", "note": {"a": 1}}),
    ]
    assert not default_storage.exists(kept.storage_key)
    assert not kept.is_kept
    assert AuditLog.objects.filter(action="dataset.import", after__written=2).exists()
    assert "2 items are in the dataset." in text_of(alice.get(address(project, "dataset-import-review", kept.pk)))


def test_bad_rows_are_named_and_come_back_as_a_file(alice, project, scope, dataset):
    dataset_actions.update_dataset(scope, dataset.pk, DatasetChange(input_schema=QUESTION), actor=SYSTEM)
    content = f"question,id\ngood,a\ntoo,many,cells\n,empty\nagain,a\nfine,b\nid too long,{'x' * 300}\n"
    upload(alice, project, dataset, content)
    # Two columns of one field are an object: so the schema fits.
    start_page = DatasetImport.objects.get()
    assert start_page.rows == 6
    kept = start(alice, project, question="metadata", id="id")
    problems = {(one.line, one.message) for one in kept.problems.all()}
    assert (3, "It has 3 cells, and the first line names 2 columns.") in problems
    assert (4, "Nothing of it is an input, an expected output or metadata.") in problems
    assert (5, "Another row before has the id a.") in problems
    # No input at all does not fit the schema, and that is said of each.
    assert {line for line, _message in problems} == {2, 3, 4, 5, 6, 7}
    file = b"".join(alice.get(address(project, "dataset-import-problems", kept.pk)).streaming_content)
    rows = list(csv.reader(io.StringIO(file.decode("utf-8-sig"))))
    assert rows[0] == ["_line", "_problem", "question", "id"]
    assert rows[2][2:] == ["too", "many", "cells"]
    assert len(rows) == 7
    assert ids(scope, dataset) == []


def test_good_rows_are_written_beside_bad_ones(alice, project, scope, dataset):
    lines = [
        json.dumps({"input": {"q": 1}, "expectedOutput": None, "id": "one"}),
        "{broken",
        "[]",
        "",
        json.dumps({"input": "two", "status": "WRONG"}),
        json.dumps({"input": "three", "extra": "é"}, ensure_ascii=False),
    ]
    upload(alice, project, dataset, "\n".join(lines), "items.jsonl")
    kept = start(alice, project, json_cells=False)
    assert [item.input for item in queries.list_items(scope, dataset)] == ["three", {"q": 1}]
    assert [problem.line for problem in kept.problems.all()] == [2, 3, 5]
    page = text_of(alice.get(address(project, "dataset-import-review", kept.pk)))
    assert "3 rows were left out." in page
    assert "It is not JSON" in page
    file = b"".join(alice.get(address(project, "dataset-import-problems", kept.pk)).streaming_content)
    first = json.loads(file.splitlines()[0])
    assert (first["_line"], first["_text"]) == (2, "{broken")


def test_an_import_that_is_done_twice_writes_once(alice, project, scope, dataset, monkeypatch):
    monkeypatch.setattr(imports, "_ROWS_AT_A_TIME", 10)
    content = "input\n" + "".join(f"row {number}\n" for number in range(45)) + '"never closed\n'
    upload(alice, project, dataset, content)
    kept = DatasetImport.objects.get()
    mapping = {"input": "input"}
    monkeypatch.setattr(imports, "_AT_ONCE_SECONDS", 0)
    monkeypatch.setattr(jobs, "call_worker", lambda: None)
    job = imports.start_import(scope, kept, mapping, reads_json=True, actor=SYSTEM)
    jobs.run_job(job, seconds=0)  # one step, then the turn is over
    assert len(ids(scope, dataset)) == 10
    # As if it had been killed before it could say so.
    Job.objects.filter(pk=job.pk).update(cursor={}, done=0)
    while Job.objects.get(pk=job.pk).is_unfinished:
        jobs.run_job(Job.objects.get(pk=job.pk))
    assert sorted(item.input for item in queries.list_items(scope, dataset)) == sorted(f"row {n}" for n in range(45))
    assert DatasetItemVersion.objects.count() == 45
    assert kept.problems.count() == 1
    with pytest.raises(imports.Conflict):
        imports.start_import(scope, kept, mapping, reads_json=True, actor=SYSTEM)


def test_each_turn_of_an_import_goes_on_where_the_last_one_ended(alice, project, scope, dataset, monkeypatch):
    monkeypatch.setattr(imports, "_ROWS_AT_A_TIME", 10)
    monkeypatch.setattr(imports, "_AT_ONCE_SECONDS", 0)
    monkeypatch.setattr(jobs, "call_worker", lambda: None)
    drafted = []
    monkeypatch.setattr(
        imports.files, "change_of", lambda row, *rest, **how: drafted.append(row.number) or change_of(row, *rest, **how)
    )
    rows = [f"text {number},{number}" for number in range(45)]
    rows[2], rows[33], rows[44] = ",bad", "again,1", "good,bad"
    upload(alice, project, dataset, "input,id\n" + "\n".join(rows))
    kept = DatasetImport.objects.get()
    job = imports.start_import(scope, kept, {"input": "input", "id": "id"}, reads_json=False, actor=SYSTEM)
    while job.is_unfinished:
        jobs.run_job(job, seconds=0)
        job.refresh_from_db()
    assert drafted == [number for number in range(45) if number not in (33, 44)]
    assert (job.done, job.failed, len(ids(scope, dataset))) == (42, 3, 42)
    assert [(one.row, one.message) for one in kept.problems.all()][1:] == [
        (33, "Another row before has the id 1."),
        (44, "Another row before has the id bad."),
    ]
    file = b"".join(alice.get(address(project, "dataset-import-problems", kept.pk)).streaming_content)
    assert [row[2:] for row in csv.reader(io.StringIO(file.decode("utf-8-sig")))][1:] == [
        ["", "bad"],
        ["again", "1"],
        ["good", "bad"],
    ]


@pytest.mark.parametrize(
    ("row", "name", "head"), [("1", "a.csv", "input\n"), ('{"input": 1}', "a.jsonl", ""), ("{no", "a.jsonl", "")]
)
def test_a_file_has_so_many_rows_at_most(alice, project, dataset, monkeypatch, row, name, head):
    monkeypatch.setattr(imports.files, "MOST_ROWS", 3)
    answer = upload(alice, project, dataset, head + f"{row}\n" * 4, name)
    assert (answer.status_code, "more than 3 rows" in text_of(answer)) == (422, True)
    assert not DatasetImport.objects.exists()
    assert upload(alice, project, dataset, head + f"{row}\n" * 3, name).status_code == 303


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        (b"", "a.csv", "The file is empty."),
        (b"a,b\n", "a.csv", "The file has no rows."),
        (b"a\nok\ncaf\xe9\n", "a.csv", "line 3 cannot be read"),
        (b"a\n\x00\n", "a.csv", "NUL"),
        (b"PK\x03\x04rest", "a.xlsx", "workbook"),
        (b'[{"a": 1}]', "a.json", "A JSON array is not read"),
    ],
)
def test_files_that_are_no_tables(alice, project, dataset, content, name, words):
    answer = upload(alice, project, dataset, content, name)
    assert answer.status_code == 422
    assert words in text_of(answer)
    assert not DatasetImport.objects.exists()


def test_utf_16_and_other_delimiters_are_read(alice, project, scope, dataset):
    upload(alice, project, dataset, "frage;antwort\nWie?;So\n".encode("utf-16"))
    start(alice, project, frage="input", antwort="expected_output")
    [item] = queries.list_items(scope, dataset)
    assert (item.input, item.expected_output) == ("Wie?", "So")


def test_the_mapping_is_in_the_address_and_the_preview_follows_it(alice, project, dataset):
    review = upload(alice, project, dataset, 'a,b\n"{""x"": 1}",2\n')["Location"]
    page = alice.get(review, {"column-0": "metadata", "column-1": "input", "json": "1"}).content.decode()
    cells = re.findall(r'<td class="io" title="([^"]*)">', page.split('id="preview"')[1])
    assert [unescape(cell) for cell in cells] == ["2", "", '{"x":1}']
    plain = alice.get(
        review, {"column-0": "input", "column-1": ""}, headers={"HX-Request": "true", "HX-Target": "preview"}
    )
    assert text_of(plain).lstrip().startswith('<div id="preview"')
    bad = alice.get(review, {"column-0": "", "column-1": ""})
    assert "Nothing of it is an input" in text_of(bad)


def test_files_that_nobody_went_on_with_are_removed(alice, project, dataset):
    upload(alice, project, dataset, "a\n1\n")
    old = DatasetImport.objects.get()
    DatasetImport.objects.update(created_at=old.created_at - timedelta(days=2))
    upload(alice, project, dataset, "a\n2\n")
    assert not default_storage.exists(old.storage_key)
    assert "The file is not there any more" in text_of(alice.get(address(project, "dataset-import-review", old.pk)))


# --- Files out --------------------------------------------------------------------------------------------
NASTY = [
    "=1+1",
    "'=1",
    "12",
    "true",
    "null",
    "",
    " ",
    '"quoted"',
    "a,b\nc",
    "-5",
    "plain",
    "{",
    "\t tab",
    "＝1",
    "中文",
]


@pytest.mark.parametrize("format", ["csv", "jsonl"])
def test_what_is_exported_comes_back_without_loss(alice, project, scope, dataset, format):
    changes = [ItemChange(id=f"i{n}", input=text, expected_output={"v": text}) for n, text in enumerate(NASTY)]
    changes += [
        ItemChange(id="=id", input=12, metadata=[None, 1.5], source_trace_id="t", source_observation_id="-o"),
        ItemChange(id="12", input=None, expected_output=False, metadata={"a": None}, status="ARCHIVED"),
    ]
    item_actions.put_items(scope, dataset, changes, actor=SYSTEM)
    answer = alice.get(address(project, "dataset-export", dataset.pk, format))
    content = b"".join(answer.streaming_content)
    if format == "csv":
        for row in csv.reader(io.StringIO(content.decode("utf-8-sig"))):
            assert not any(re.match(r"\s*[=+@\t＝]|-[^\d]", cell) for cell in row), row
    other = make(scope, "other")
    item_actions.delete_items(scope, dataset, [change.id for change in changes], actor=SYSTEM)
    upload(alice, project, other, content, f"items.{format}")
    start(alice, project, json_cells=format == "csv")
    found = {item.id: item for item in queries.list_items(scope, other, status=None)}
    assert len(found) == len(changes)
    for change in changes:
        item = found[change.id]
        for name in ("input", "expected_output", "metadata"):
            wanted = getattr(change, name)
            assert getattr(item, name) == (None if isinstance(wanted, Keep) else wanted), (change.id, name)
    assert (found["=id"].source_trace_id, found["=id"].source_observation_id) == ("t", "-o")
    assert found["12"].status == "ARCHIVED"


def test_an_export_as_of_a_time(bob, project, scope, dataset):
    first = put(scope, dataset, "a", input="before")
    put(scope, dataset, "a", input="after")
    url = address(project, "dataset-export", dataset.pk, "jsonl")
    now, then = (b"".join(bob.get(url, query).streaming_content) for query in ({}, {"version": first.valid_from}))
    assert json.loads(now)["input"] == "after"
    assert json.loads(then)["input"] == "before"
    assert bob.get(address(project, "dataset-export", dataset.pk, "exe")).status_code == 404


# --- From traces ------------------------------------------------------------------------------------------
def test_an_observation_becomes_an_item(alice, project, scope, dataset):
    trace_id = put_trace(project.pk, root={"input": '{"q": [1, 2]}', "output": "answer"}).id
    add = address(project, "dataset-add")
    page = alice.get(add, {"trace": trace_id, "dataset": dataset.pk})
    assert re.search(r'id="expected_output"[^>]*>\s*answer</textarea>', text_of(page))
    mapped = {"trace": trace_id, "from-input": "input", "path-input": "$.q[1]", "from-metadata": "output"}
    page = text_of(alice.get(add, mapped))
    assert re.search(r'id="input"[^>]*>\s*2</textarea>', page)
    assert re.search(r'id="metadata"[^>]*>\s*answer</textarea>', page)
    assert "finds nothing" in text_of(alice.get(add, mapped | {"path-input": "$.nowhere"}))
    assert "is not valid" in text_of(alice.get(add, mapped | {"path-input": "$.["}))
    fields = {"trace": trace_id, "dataset": dataset.pk, "input": "edited", "expected_output": "[1]", "metadata": ""}
    answer = alice.post(address(project, "dataset-add-save"), fields)
    assert answer.status_code == 303
    [item] = queries.list_items(scope, dataset)
    assert (item.input, item.expected_output, item.source_trace_id) == ("edited", [1], trace_id)
    assert "comes from here already" in text_of(alice.get(add, {"trace": trace_id, "dataset": dataset.pk}))
    new = {**fields, "dataset": "", "new": "fresh/one"}
    assert alice.post(address(project, "dataset-add-save"), new).status_code == 303
    assert Dataset.objects.filter(name="fresh/one").exists()
    assert alice.post(address(project, "dataset-add-save"), {**new, "new": ""}).status_code == 422
    assert alice.get(add, {"trace": "nothing"}).status_code == 404


def test_selected_traces_become_items_once(alice, project, scope, dataset):
    traces = [put_trace(project.pk, root={"input": f"question {n}", "output": '{"a": 1}'}).id for n in range(3)]
    add = address(project, "dataset-add-traces")
    asked = text_of(alice.post(add, {"ids": " ".join(traces)}))
    assert "Add 3 traces to a dataset" in asked
    assert re.search(r"question \d</textarea>", asked)
    fields = {"ids": " ".join(traces[:2]), "do": "start", "dataset": dataset.pk, "path-expected_output": "$.a"}
    assert alice.post(add, fields)["Location"] == address(project, "dataset-detail", dataset.pk)
    found = {item.source_trace_id: (item.input, item.expected_output) for item in queries.list_items(scope, dataset)}
    assert found == {traces[0]: ("question 0", 1), traces[1]: ("question 1", 1)}
    # All that match: those that are there already are left out.
    alice.post(add, {"all": "1", "query": "?range=all", "do": "start", "dataset": dataset.pk})
    assert sorted(item.source_trace_id for item in queries.list_items(scope, dataset)) == sorted(traces)
    job = Job.objects.latest("created_at")
    assert (job.status, job.result["counts"]) == (JobStatus.DONE, {"items": 1, "known_items": 2})
    Job.objects.filter(pk=job.pk).update(status=JobStatus.QUEUED, cursor={}, finished_at=None)
    jobs.run_job(Job.objects.get(pk=job.pk))
    assert DatasetItemVersion.objects.count() == 3
    refused = alice.post(add, {"ids": traces[0], "do": "start"})
    assert "Choose a dataset, or name a new one." in text_of(refused)


def test_selected_observations_that_do_not_fit_are_told(alice, project, scope):
    strict = make(scope, "strict", input_schema={"type": "object"})
    good = put_trace(project.pk, {"id": "good", "input": '{"q": 1}'})
    bad = put_trace(project.pk, {"id": "bad", "input": "text"})
    chosen = f"{good.id}/good {bad.id}/bad"
    fields = {"ids": chosen, "do": "start", "new": "", "dataset": strict.pk}
    alice.post(address(project, "dataset-add-observations"), fields)
    [item] = queries.list_items(scope, strict)
    assert (item.input, item.source_observation_id) == ({"q": 1}, "good")
    job = Job.objects.latest("created_at")
    assert (job.done, job.failed) == (1, 1)
    assert job.result["failures"][0]["trace_id"] == bad.id
    page = text_of(alice.get(reverse("tracing:job-detail", args=[project.pk, job.pk])))
    assert "is not of type 'object'" in page
    assert "strict" in page


def test_files_that_came_with_a_trace_are_kept_for_its_items(alice, project, scope, dataset):
    media = Media.objects.create(
        project=project, media_id="m" * 22, sha256="s" * 44, content_type="image/png", content_length=3
    )
    reference = f"@@@langfuseMedia:type=image/png|id={media.media_id}|source=bytes@@@"
    put(scope, dataset, "i", input={"picture": reference})
    link = MediaLink.objects.get(media=media)
    assert (link.dataset_id, link.dataset_item_id, link.field) == (dataset.pk, "i", "input")
    assert alice.get(address(project, "dataset-item", dataset.pk, "i")).status_code == 200


# --- Whose they are ---------------------------------------------------------------------------------------
PAGES = ("dataset-list", "dataset-new", "dataset-duplicate", "dataset-delete", "dataset-item-new", "dataset-import")


def test_viewers_read_and_strangers_see_nothing(bob, charlie, client, project, scope, dataset):
    put(scope, dataset, "i", input=1)
    detail, item = address(project, "dataset-detail", dataset.pk), address(project, "dataset-item", dataset.pk, "i")
    export = address(project, "dataset-export", dataset.pk, "csv")
    for url in (address(project, "dataset-list"), detail, item, export, f"{detail}?tab=settings"):
        assert bob.get(url).status_code == 200
        assert charlie.get(url).status_code == 404
        assert client.get(url).status_code == 302
    page = text_of(bob.get(detail))
    assert "New item" not in page
    assert 'name="act"' not in page
    for name in PAGES[1:]:
        assert bob.get(address(project, name), {"dataset": dataset.pk}).status_code == 403
        assert charlie.get(address(project, name), {"dataset": dataset.pk}).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "dataset-create",
        "dataset-update",
        "dataset-duplicate-save",
        "dataset-delete-confirm",
        "dataset-item-save",
        "dataset-items-act",
        "dataset-import-upload",
        "dataset-import-start",
        "dataset-add-save",
        "dataset-add-traces",
        "dataset-add-observations",
    ],
)
def test_viewers_write_nothing(bob, charlie, project, scope, dataset, name):
    put(scope, dataset, "i", input=1)
    fields = {"dataset": dataset.pk, "name": "x", "typed": dataset.name, "act": "delete", "id": "i", "confirmed": "1"}
    assert bob.post(address(project, name), fields).status_code == 403
    assert charlie.post(address(project, name), fields).status_code == 404
    assert ids(scope, dataset) == ["i"]


def test_datasets_of_another_project_are_not_there(alice, project, scope, dataset):
    from tests.factories import make_project

    other = ProjectScope(make_project().pk, Role.OWNER)
    theirs = make(other, "theirs")
    put(other, theirs, "secret", input="secret")
    assert alice.get(address(project, "dataset-detail", theirs.pk)).status_code == 404
    assert alice.get(address(project, "dataset-item", dataset.pk, "secret")).status_code == 404
    assert alice.get(address(project, "dataset-export", theirs.pk, "csv")).status_code == 404
    fields = {"dataset": theirs.pk, "act": "delete", "id": "secret", "confirmed": "1"}
    assert alice.post(address(project, "dataset-items-act"), fields).status_code == 404
    fields = {"dataset": dataset.pk, "old": "secret", "input": "mine"}
    assert alice.post(address(project, "dataset-item-save"), fields).status_code == 404
    assert queries.get_item(other, "secret").input == "secret"
