# Everything set by hand with SDK 2: updates come as events of their own and merge on the server.
from datetime import datetime, timezone

from langfuse import Langfuse

langfuse = Langfuse()
trace = langfuse.trace(
    name="handle-request",
    input={"query": "退货政策"},
    user_id="用户-42",
    session_id="会话/7",
    tags=["beta", "中文"],
    metadata={"tenant": "acme"},
)
found = trace.span(name="lookup", input="退货", metadata={"top_k": 4})
found.end(output=[{"id": 1, "text": "30 天内可退"}], metadata={"nested": {"a": [1, 2]}})
generation = trace.generation(
    name="think",
    model="gpt-4o-mini",
    model_parameters={"temperature": 0.1, "max_tokens": 64},
    input=[{"role": "user", "content": "可以退货吗？"}],
    completion_start_time=datetime.now(timezone.utc),
)
generation.end(
    output={"role": "assistant", "content": "可以，30 天内。"},
    usage_details={"input": 100, "input_cached_tokens": 40, "output": 20},
)
trace.generation(
    name="priced",
    model="house-model",
    usage_details={"input": 10, "output": 5},
    cost_details={"input": 0.25, "output": 0.5},
).end()
tool = trace.span(name="send-mail", input={"to": "a@example.com"})
tool.end(level="ERROR", status_message="邮箱不可用")
trace.event(name="handed-over", input="客服")
trace.update(output="可以，30 天内退货。")
langfuse.flush()
