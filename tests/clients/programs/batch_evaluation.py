# Batch evaluation: what was traced is read back, judged and scored, as generations 4 and 5 of the Python SDK do it.
import json
import os
import sys
import time

from langfuse import Evaluation, get_client
from langfuse.batch_evaluation import EvaluatorInputs

major = int(sys.argv[1])
langfuse = get_client()
environment = os.environ["LANGFUSE_TRACING_ENVIRONMENT"]
for word in ("一", "二", "三"):
    with langfuse.start_as_current_observation(name="to-judge", input=word, output=word * 3):
        pass
langfuse.flush()


def mapper(*, item, **_):
    return EvaluatorInputs(input=item.input, output=item.output, expected_output=None, metadata={})


def length(*, output, **_):
    return Evaluation(name="length", value=float(len(str(output).strip('"'))))


filters = [{"type": "string", "column": "environment", "operator": "=", "value": environment}]
scopes = {"scope": "observations"} if major == 4 else {}
deadline = time.monotonic() + 20
while True:
    result = langfuse.run_batched_evaluation(**scopes, mapper=mapper, evaluators=[length], filter=json.dumps(filters))
    if result.total_items_processed >= 3 or time.monotonic() > deadline:
        break
    time.sleep(0.2)
langfuse.flush()
print(json.dumps([result.total_items_processed, result.total_scores_created, result.completed]))
