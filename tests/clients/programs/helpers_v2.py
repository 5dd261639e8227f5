# The hand-written helpers of generation 2: media, scores, updates, and every way it has to read.
import json
import time
import warnings

from langfuse import Langfuse
from langfuse.media import LangfuseMedia

warnings.simplefilter("ignore", DeprecationWarning)
langfuse = Langfuse()
note = LangfuseMedia(content_bytes="附件".encode(), content_type="text/plain")
trace = langfuse.trace(name="first", input={"file": note}, session_id="会话/辅助", user_id="用户-9")
trace.update(name="with-helpers", tags=["updated"], metadata={"step": "two"})
span = trace.span(name="work")
span.generation(name="call", model="gpt-4o-mini", usage_details={"input": 3, "output": 4}).end(output="好")
span.end()
langfuse.score(trace_id=trace.id, name="number", value=0.25)
trace.score(name="yes", value=1, data_type="BOOLEAN")
span.score(name="label", value="good", data_type="CATEGORICAL")
langfuse.flush()

deadline = time.monotonic() + 15
while True:
    try:
        read = langfuse.fetch_trace(trace.id).data
        if len(read.observations) == 2 and len(read.scores) == 3 and read.input:
            break
    except Exception:
        pass
    assert time.monotonic() < deadline, "the trace did not arrive"
    time.sleep(0.1)

call = next(each for each in read.observations if each.name == "call")
media = LangfuseMedia.parse_reference_string(read.input["file"])
resolved = langfuse.resolve_media_references(obj=read.input, resolve_with="base64_data_uri")
print(
    json.dumps(
        {
            "auth": langfuse.auth_check(),
            "id": trace.id,
            "url": trace.get_trace_url(),
            "file": resolved["file"],
            "media": langfuse.fetch_media(media["media_id"]).data.content_type,
            "reads": {
                "get_trace": langfuse.get_trace(trace.id).name,
                "fetch_traces": [each.id for each in langfuse.fetch_traces(user_id="用户-9", tags=["updated"]).data],
                "get_traces": [each.id for each in langfuse.get_traces(session_id="会话/辅助").data],
                "fetch_observation": langfuse.fetch_observation(call.id).data.name,
                "get_observation": langfuse.get_observation(call.id).name,
                "fetch_observations": len(langfuse.fetch_observations(trace_id=trace.id).data),
                "get_observations": len(langfuse.get_observations(trace_id=trace.id).data),
                "get_generations": [each.id for each in langfuse.get_generations(trace_id=trace.id).data],
                "fetch_sessions": "会话/辅助" in [each.id for each in langfuse.fetch_sessions(limit=100).data],
            },
            "call": call.id,
        }
    )
)
