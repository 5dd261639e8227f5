# One answer of a model, by generation 2, under the name that a rule judges.
import sys

from langfuse import Langfuse

langfuse = Langfuse()
trace = langfuse.trace(name="capital")
call = trace.generation(name=sys.argv[1], input=[{"role": "user", "content": "法国的首都是哪里?"}], model="gpt-4o-mini")
call.end(output="巴黎")
print(trace.id)
langfuse.flush()
