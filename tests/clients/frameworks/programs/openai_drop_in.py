from langfuse import get_client, observe, propagate_attributes
from langfuse.openai import OpenAI
from pydantic import BaseModel

client = OpenAI()
QUESTION = {"role": "user", "content": "法国的首都是哪里？"}
WEATHER = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}


class City(BaseModel):
    name: str


@observe()
def assistant(question):
    client.chat.completions.create(name="chat", model="gpt-4o-mini", temperature=0.2, messages=[question])
    stream = client.chat.completions.create(
        name="streamed",
        model="gpt-4o-mini",
        messages=[question],
        stream=True,
        stream_options={"include_usage": True},
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in stream if chunk.choices)
    function = {"name": "get_weather", "description": "The weather in a city", "parameters": WEATHER}
    client.chat.completions.create(
        name="tools", model="gpt-4o-mini", messages=[question], tools=[{"type": "function", "function": function}]
    )
    client.chat.completions.parse(name="structured", model="gpt-4o-mini", messages=[question], response_format=City)
    client.responses.create(
        name="response", model="gpt-4o-mini", instructions="Answer briefly.", input=question["content"]
    )
    for _ in client.responses.create(
        name="response-streamed", model="gpt-4o-mini", input=question["content"], stream=True
    ):
        pass
    client.embeddings.create(name="embedding", model="text-embedding-3-small", input=question["content"])
    return text


with propagate_attributes(user_id="user-42", session_id="session-7"):
    assistant(QUESTION)
get_client().flush()
