from langfuse.openai import openai

client = openai.OpenAI()
weather = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "查询城市天气",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}
messages = [{"role": "user", "content": "上海今天天气怎么样？"}]
first = client.chat.completions.create(model="gpt-4o", messages=messages, tools=[weather])
call = first.choices[0].message.tool_calls[0]
print(call.function.name, call.function.arguments)
