# Experiments in generations 3 to 5 of the Python SDK: over a dataset, twice under one name, over local data, with
# evaluators of items and of runs; runs listed, read and deleted where the SDK can.
import json
import sys

from langfuse import Evaluation, get_client

name, major = sys.argv[1], int(sys.argv[2])
langfuse = get_client()
langfuse.create_dataset(name=name, description="首都", metadata={"owner": "评测"})
for country, capital in (("Kenya", "Nairobi"), ("中国", "北京"), ("Atlantis", "?")):
    langfuse.create_dataset_item(dataset_name=name, input={"country": country}, expected_output=capital)
dataset = langfuse.get_dataset(name)


def task(*, item, **_):
    given = item["input"] if isinstance(item, dict) else item.input
    if given["country"] == "Atlantis":
        raise RuntimeError("沉没了")
    with langfuse.start_as_current_observation(name="think", as_type="generation", model="gpt-4o-mini") as call:
        call.update(usage_details={"input": 100, "output": 20})
    return {"Kenya": "Nairobi", "中国": "上海"}[given["country"]]


def correct(*, output, expected_output, **_):
    return Evaluation(name="correct", value=output == expected_output, data_type="BOOLEAN")


def length(*, output, **_):
    return [Evaluation(name="length", value=float(len(output)), comment="字数")]


def average(*, item_results, **_):
    values = [e.value for one in item_results for e in one.evaluations if e.name == "correct"]
    return Evaluation(name="accuracy", value=sum(values) / len(values), comment="平均")


options = {"task": task, "evaluators": [correct, length], "run_evaluators": [average]}
more = {"metadata": {"model": "gpt-4o-mini"}, "description": "第一次"}
first = dataset.run_experiment(name="首都/试", run_name="首都/试 1", **options, **more)
again = dataset.run_experiment(name="首都/试", run_name="首都/试 1", **options)
local = langfuse.run_experiment(
    name="local", run_name="local 1", data=[{"input": {"country": "Kenya"}, "expected_output": "Nairobi"}], **options
)
if major == 3:
    for item in dataset.items:
        with item.run(run_name="by hand", run_metadata={"how": "item.run"}) as span:
            span.update(input=item.input, output="said by hand")
            span.score_trace(name="hand", value=0.5)
langfuse.flush()
got = {
    "dataset": dataset.id,
    "first": [first.dataset_run_id, first.dataset_run_url, len(first.item_results)],
    "again": [again.dataset_run_id, len(again.item_results)],
    "local": [len(local.item_results), local.item_results[0].output],
    "formatted": "accuracy" in first.format(),
}
if major < 5:
    got["runs"] = sorted(run.name for run in langfuse.get_dataset_runs(dataset_name=name).data)
    run = langfuse.get_dataset_run(dataset_name=name, run_name="首都/试 1")
    got["run"] = [run.id, run.description, run.metadata, len(run.dataset_run_items)]
    if major == 3:
        langfuse.delete_dataset_run(dataset_name=name, run_name="by hand")
        got["left"] = [run.name for run in langfuse.get_dataset_runs(dataset_name=name).data]
print(json.dumps(got, ensure_ascii=False))
