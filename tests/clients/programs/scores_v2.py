from langfuse import Langfuse

langfuse = Langfuse()
trace = langfuse.trace(name="judged", input="问题", output="回答")
# 为特定 Trace 添加评分
langfuse.score(trace_id=trace.id, name="relevance", value=0.9, comment="回答与问题高度相关")
# 添加分类评分
langfuse.score(
    trace_id=trace.id,
    name="quality",
    value="good",  # 支持字符串值
    data_type="CATEGORICAL",
)
langfuse.score(trace_id=trace.id, name="user-feedback", value=1, data_type="BOOLEAN", comment="用户表示满意")
langfuse.flush()
