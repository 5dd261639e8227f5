# Everything set by hand: types, levels, metadata, usage, costs, trace context.
from datetime import datetime, timezone

from langfuse import get_client, propagate_attributes

langfuse = get_client()
with langfuse.start_as_current_observation(name="handle-request", as_type="agent", input={"query": "退货政策"}) as root:
    with propagate_attributes(
        user_id="用户-42", session_id="会话/7", tags=["beta", "中文"], metadata={"tenant": "acme"}
    ):
        with langfuse.start_as_current_observation(name="lookup", as_type="retriever", input="退货") as found:
            found.update(output=[{"id": 1, "text": "30 天内可退"}], metadata={"top_k": 4, "nested": {"a": [1, 2]}})
        with langfuse.start_as_current_observation(
            name="think",
            as_type="generation",
            model="gpt-4o-mini",
            model_parameters={"temperature": 0.1, "max_tokens": 64},
        ) as generation:
            generation.update(
                input=[{"role": "user", "content": "可以退货吗？"}],
                output={"role": "assistant", "content": "可以，30 天内。"},
                usage_details={"input": 100, "input_cached_tokens": 40, "output": 20},
                completion_start_time=datetime.now(timezone.utc),
            )
        with langfuse.start_as_current_observation(name="priced", as_type="generation", model="house-model") as priced:
            priced.update(usage_details={"input": 10, "output": 5}, cost_details={"input": 0.25, "output": 0.5})
        with langfuse.start_as_current_observation(
            name="send-mail", as_type="tool", input={"to": "a@example.com"}
        ) as tool:
            tool.update(level="ERROR", status_message="邮箱不可用")
        langfuse.create_event(name="handed-over", input="客服")
    root.update(output="可以，30 天内退货。", metadata={"step": "last"})
langfuse.flush()
