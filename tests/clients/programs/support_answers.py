# Answers of a support agent, by generations 3 to 5: so many traces of one generation each, under the name that a rule
# judges. Prints the id of each trace.
import sys

from langfuse import get_client

langfuse = get_client()
for _number in range(int(sys.argv[2])):
    with langfuse.start_as_current_observation(name=sys.argv[1], as_type="generation") as call:
        call.update(
            input={"question": "Where is my order?"},
            output={"answer": {"text": "Tomorrow before noon.", "sources": ["policy", "order"]}},
            model="gpt-4o-mini",
        )
        print(langfuse.get_current_trace_id())
langfuse.flush()
