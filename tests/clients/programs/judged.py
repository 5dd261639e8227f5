# One answer of a model, by generations 3 to 5, under the name that a rule judges.
import sys

from langfuse import get_client

langfuse = get_client()
with langfuse.start_as_current_observation(name=sys.argv[1], as_type="generation") as call:
    call.update(input=[{"role": "user", "content": "法国的首都是哪里?"}], output="巴黎", model="gpt-4o-mini")
    print(langfuse.get_current_trace_id())
langfuse.flush()
