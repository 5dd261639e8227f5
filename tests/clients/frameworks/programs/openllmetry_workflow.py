from openai import OpenAI
from traceloop.sdk import Traceloop
from traceloop.sdk.decorators import task, tool, workflow

Traceloop.init(app_name="assistant", disable_batch=True)
client = OpenAI()
QUESTION = [{"role": "user", "content": "法国的首都是哪里？"}]
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


@tool(name="get_weather")
def get_weather(city):
    return f"{city}: 晴"


@task(name="ask")
def ask():
    client.chat.completions.create(model="gpt-4o-mini", temperature=0.2, messages=QUESTION)
    stream = client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, stream=True, stream_options={"include_usage": True}
    )
    return "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)


@workflow(name="assistant")
def assistant(question):
    function = {"name": "get_weather", "description": "The weather in a city", "parameters": WEATHER}
    client.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, tools=[{"type": "function", "function": function}]
    )
    get_weather("上海")
    client.responses.create(model="gpt-4o-mini", input=question)
    client.embeddings.create(model="text-embedding-3-small", input=question)
    return ask()


Traceloop.set_association_properties({"user_id": "user-42", "session_id": "session-7"})
assistant("法国的首都是哪里？")
