# Experiments in generation 2: items observed, or linked to a trace or to a part of one.
import json
import sys

from langfuse import Langfuse
from langfuse.decorators import langfuse_context, observe

name = sys.argv[1]
langfuse = Langfuse()
langfuse.create_dataset(name=name)
for country, capital in (("Kenya", "Nairobi"), ("中国", "北京")):
    langfuse.create_dataset_item(dataset_name=name, input={"country": country}, expected_output=capital)
dataset = langfuse.get_dataset(name)


@observe()
def answer(country):
    langfuse_context.update_current_observation(output="观察")
    return "观察"


for item in dataset.items:
    with item.observe(run_name="observed", run_metadata={"how": "observe"}) as trace_id:
        answer(item.input["country"])
    langfuse.score(trace_id=trace_id, name="correct", value=1)
for item in dataset.items:
    trace = langfuse.trace(name="linked", input=item.input, output="linked")
    span = trace.span(name="part", input=item.input, output="part")
    span.end()
    item.link(span, "linked/部分", run_description="by hand")
langfuse_context.flush()
langfuse.flush()
run = langfuse.get_dataset_run(dataset_name=name, dataset_run_name="observed")
runs = langfuse.get_dataset_runs(dataset_name=name)
got = {
    "dataset": dataset.id,
    "run": [run.id, run.metadata, len(run.dataset_run_items)],
    "runs": sorted(one.name for one in runs.data),
}
print(json.dumps(got, ensure_ascii=False))
