# What `users.py` becomes with SDK 4 and 5, which have no update_current_trace any more.
from langfuse import observe, propagate_attributes
from langfuse.openai import openai


@observe()
def ask_llm(user_id: str, question: str):
    with propagate_attributes(user_id=user_id):
        resp = openai.chat.completions.create(
            model="gpt-4o",
            messages=[{"role": "user", "content": question}],
        )
        return resp.choices[0].message.content


if __name__ == "__main__":
    print(ask_llm("user_001", "你好，Langfuse 是什么？"))
    print(ask_llm("user_002", "如何统计调用次数？"))
    print(ask_llm("user_001", "再给我一个例子"))
