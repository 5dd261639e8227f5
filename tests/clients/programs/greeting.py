# 原来的写法
# from openai import OpenAI
# 使用 Langfuse 的写法(自动追踪所有调用)
from langfuse.openai import openai

client = openai.OpenAI()
response = client.chat.completions.create(
    model="gpt-4",
    messages=[
        {"role": "system", "content": "你是一个有帮助的助手"},
        {"role": "user", "content": "你好!"},
    ],
    # Langfuse 特有参数
    name="greeting-chat",  # 追踪名称
    metadata={"user_id": "user_123"},  # 自定义元数据
)
print(response.choices[0].message.content)
