# The hand-written helpers of generations 3 to 5: media, scores of each kind in each way, updates, reading back.
import base64
import json
import os
import time
import urllib.request

import langfuse as package
from langfuse import get_client
from langfuse.media import LangfuseMedia

langfuse = get_client()
note = LangfuseMedia(content_bytes="附件".encode(), content_type="text/plain")
about = {"session_id": "会话/辅助", "user_id": "用户-9", "tags": ["updated"], "metadata": {"step": "two"}}


def work(root):
    root.update(input={"file": note}, output="好")
    langfuse.update_current_generation(model="gpt-4o-mini", usage_details={"input": 3, "output": 4})
    langfuse.create_event(name="noted", input="记下了")
    langfuse.score_current_span(name="of-span", value=3)
    langfuse.score_current_trace(name="of-trace", value="good", data_type="CATEGORICAL")
    root.score(name="of-object", value=1, data_type="BOOLEAN")
    root.score_trace(name="of-trace-object", value=0.5)


with langfuse.start_as_current_observation(name="with-helpers", as_type="generation") as root:
    trace_id, root_id = langfuse.get_current_trace_id(), langfuse.get_current_observation_id()
    if hasattr(langfuse, "update_current_trace"):
        langfuse.update_current_trace(**about)
        work(root)
    else:
        with package.propagate_attributes(**about):
            work(root)
langfuse.create_score(trace_id=trace_id, name="number", value=0.25, metadata={"判断": "人工"})
langfuse.create_score(trace_id=trace_id, name="remark", value="回答很好", data_type="TEXT")
langfuse.create_score(session_id="会话/辅助", name="of-session", value=1, data_type="NUMERIC")
langfuse.flush()


def observations():
    address = f"{os.environ['LANGFUSE_HOST']}/api/public/v2/observations?traceId={trace_id}&fields=core,io"
    keys = f"{os.environ['LANGFUSE_PUBLIC_KEY']}:{os.environ['LANGFUSE_SECRET_KEY']}"
    headers = {"Authorization": f"Basic {base64.b64encode(keys.encode()).decode()}"}
    with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
        return json.load(answer)["data"]


deadline = time.monotonic() + 15
while not (found := [each for each in observations() if each["id"] == root_id]):
    assert time.monotonic() < deadline, "the trace did not arrive"
    time.sleep(0.1)

given = json.loads(found[0]["input"])
reference = LangfuseMedia.parse_reference_string(given["file"])
resolved = langfuse.resolve_media_references(obj=given, resolve_with="base64_data_uri")
print(
    json.dumps(
        {
            "auth": langfuse.auth_check(),
            "id": trace_id,
            "root": root_id,
            "url": langfuse.get_trace_url(trace_id=trace_id),
            "file": resolved["file"],
            "media": langfuse.api.media.get(reference["media_id"]).content_type,
        }
    )
)
langfuse.shutdown()
