from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langfuse import get_client
from langfuse.langchain import CallbackHandler


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 晴"


prompt = ChatPromptTemplate.from_messages([("system", "Answer briefly."), ("human", "{question}")])
config = {
    "callbacks": [CallbackHandler()],
    "metadata": {"langfuse_user_id": "user-42", "langfuse_session_id": "session-7"},
}
chain = prompt | ChatOpenAI(model="gpt-4o-mini", temperature=0.2, stream_usage=True)
for _ in chain.stream({"question": "法国的首都是哪里？"}, config=config):
    pass
with_tools = prompt | ChatOpenAI(model="gpt-4o-mini").bind_tools([get_weather])
with_tools.invoke({"question": "上海今天天气怎么样？"}, config=config)
get_client().flush()
