from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langfuse import get_client
from langfuse.langchain import CallbackHandler
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition


@tool
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 晴"


model = ChatOpenAI(model="gpt-4o-mini").bind_tools([get_weather])


def agent(state: MessagesState):
    return {"messages": [model.invoke(state["messages"])]}


graph = StateGraph(MessagesState)
graph.add_node("agent", agent)
graph.add_node("tools", ToolNode([get_weather]))
graph.add_edge(START, "agent")
graph.add_conditional_edges("agent", tools_condition)
graph.add_edge("tools", "agent")
graph.compile().invoke(
    {"messages": [("user", "上海今天天气怎么样？")]},
    config={
        "callbacks": [CallbackHandler()],
        "metadata": {"langfuse_user_id": "user-42", "langfuse_session_id": "session-7"},
    },
)
get_client().flush()
