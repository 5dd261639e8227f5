# `users.py` as SDK 2 has it.
from langfuse.decorators import langfuse_context, observe
from langfuse.openai import openai


@observe()
def ask_llm(user_id: str, question: str):
    langfuse_context.update_current_trace(user_id=user_id)
    resp = openai.chat.completions.create(
        model="gpt-4o",
        messages=[{"role": "user", "content": question}],
    )
    return resp.choices[0].message.content


if __name__ == "__main__":
    print(ask_llm("user_001", "你好，Langfuse 是什么？"))
    print(ask_llm("user_002", "如何统计调用次数？"))
    print(ask_llm("user_001", "再给我一个例子"))
    langfuse_context.flush()
