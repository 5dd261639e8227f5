# `rag.py` as SDK 2 has it.
from langfuse.decorators import langfuse_context, observe
from openai import OpenAI

client = OpenAI()


@observe()
def retrieve_context(query: str) -> str:
    """模拟检索相关文档"""
    # 这个函数会被记录为一个 Span
    return f"关于 '{query}' 的相关文档内容..."


@observe(as_type="generation")
def call_llm(prompt: str, context: str) -> str:
    """调用 LLM 生成回答"""
    # 标记为 generation 类型
    response = client.chat.completions.create(
        model="gpt-4",
        messages=[
            {"role": "system", "content": f"基于以下上下文回答问题:\n{context}"},
            {"role": "user", "content": prompt},
        ],
    )
    return response.choices[0].message.content


@observe()
def rag_pipeline(question: str) -> str:
    """RAG 流水线主函数"""
    # 自动创建父级 Trace
    context = retrieve_context(question)  # 子 Span
    answer = call_llm(question, context)  # 子 Generation
    return answer


# 执行
result = rag_pipeline("什么是 Langfuse?")
print(result)
# 重要:短生命周期应用需要刷新
langfuse_context.flush()
