import asyncio
import os

from langfuse import get_client, propagate_attributes
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.llms.openai import OpenAI
from openinference.instrumentation.llama_index import LlamaIndexInstrumentor

langfuse = get_client()
LlamaIndexInstrumentor().instrument()


def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 晴"


async def main():
    model = OpenAI(model="gpt-4o-mini", api_base=os.environ["OPENAI_BASE_URL"])
    model.complete("法国的首都是哪里？")
    agent = FunctionAgent(tools=[get_weather], llm=model, system_prompt="Answer briefly.")
    await agent.run("上海今天天气怎么样？")


with (
    langfuse.start_as_current_observation(name="assistant"),
    propagate_attributes(user_id="user-42", session_id="session-7"),
):
    asyncio.run(main())
langfuse.flush()
