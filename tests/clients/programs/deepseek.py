import os

# Instead of: import openai
from langfuse.openai import OpenAI
# from langfuse import observe

# use OpenAI client to access DeepSeek API
client = OpenAI(base_url=os.environ["OPENAI_BASE_URL"])

# ask a question
question = "Doris 可观测性解决方案的特点是什么？回答简洁清晰"
print(f"question: {question}")

completion = client.chat.completions.create(model="deepseek-chat", messages=[{"role": "user", "content": question}])
response = completion.choices[0].message.content
print(f"response: {response}")
