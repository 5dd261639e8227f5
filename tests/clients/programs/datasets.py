# Datasets in all generations of the Python SDK: made, filled, read page by page, changed, archived, read as of a time.
import inspect
import json
import sys

import langfuse as package

name = sys.argv[1]
langfuse = package.get_client() if hasattr(package, "get_client") else package.Langfuse()

# Generation 2 knows no schemas and no versions.
has_schemas = "input_schema" in inspect.signature(langfuse.create_dataset).parameters
schema = {"type": "object", "required": ["question"], "properties": {"question": {"type": "string"}}}
made = langfuse.create_dataset(
    name=name, description="第一", metadata={"team": "qa"}, **({"input_schema": schema} if has_schemas else {})
)
again = langfuse.create_dataset(name=name)
got = {"made": [made.name, made.description, made.metadata, made.id == again.id, again.description]}

for number in range(60):
    written = langfuse.create_dataset_item(
        dataset_name=name,
        id=f"{name}-{number}",
        input={"question": f"问题 {number}"},
        expected_output={"answer": number},
        metadata={"number": number},
        source_trace_id="trace-1",
        source_observation_id="observation-1",
    )
got["written"] = [written.id, written.status, written.dataset_name, written.source_trace_id]
version = written.updated_at

dataset = langfuse.get_dataset(name)
first = dataset.items[0]
got["dataset"] = [dataset.name, dataset.description, len(dataset.items), len({item.id for item in dataset.items})]
got["first"] = [first.id, first.input, first.expected_output, first.metadata, first.source_observation_id, first.status]
got["small pages"] = len(langfuse.get_dataset(name, fetch_items_page_size=7).items)

langfuse.create_dataset_item(dataset_name=name, id=f"{name}-1", input={"question": "changed"})
langfuse.create_dataset_item(dataset_name=name, id=f"{name}-2", status="ARCHIVED")
now = {item.id: item for item in langfuse.get_dataset(name).items}
changed = now[f"{name}-1"]
got["now"] = [len(now), changed.input, changed.expected_output, f"{name}-2" in now]
if "version" in inspect.signature(langfuse.get_dataset).parameters:
    then = {item.id: item for item in langfuse.get_dataset(name, version=version).items}
    got["then"] = [len(then), then[f"{name}-1"].input, f"{name}-2" in then]

made_up = langfuse.create_dataset_item(dataset_name=name, input={"question": "no id"})
got["made up"] = len(made_up.id)
if has_schemas:
    try:
        langfuse.create_dataset_item(dataset_name=name, input={"question": 5})
        got["refused"] = "was taken"
    except Exception as error:
        got["refused"] = str(error)
try:
    langfuse.get_dataset("nobody-" + name)
    got["missing"] = "was found"
except Exception as error:
    got["missing"] = str(error)
langfuse.flush()
print(json.dumps(got, ensure_ascii=False))
