from langfuse import get_client

langfuse = get_client()
with langfuse.start_as_current_observation(name="judged", as_type="span", input="问题") as span:
    span.update(output="回答")
    trace_id = langfuse.get_current_trace_id()
    langfuse.score_current_span(name="span-score", value=3)
# 为特定 Trace 添加评分
langfuse.create_score(trace_id=trace_id, name="relevance", value=0.9, comment="回答与问题高度相关")
# 添加分类评分
langfuse.create_score(
    trace_id=trace_id,
    name="quality",
    value="good",  # 支持字符串值
    data_type="CATEGORICAL",
)
langfuse.create_score(trace_id=trace_id, name="user-feedback", value=1, data_type="BOOLEAN", comment="用户表示满意")
langfuse.flush()
