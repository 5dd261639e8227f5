from langfuse.openai import openai

client = openai.OpenAI()
stream = client.chat.completions.create(
    model="gpt-4o",
    messages=[{"role": "user", "content": "用流式回答"}],
    stream=True,
    stream_options={"include_usage": True},
    temperature=0.3,
)
for chunk in stream:
    if chunk.choices and chunk.choices[0].delta.content:
        print(chunk.choices[0].delta.content, end="")
