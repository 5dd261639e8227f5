# `langchain_chain.py` as SDK 2 has it.
from langfuse.callback import CallbackHandler
from langchain_openai import ChatOpenAI
from langchain_core.prompts import ChatPromptTemplate

langfuse_handler = CallbackHandler(user_id="user-123", session_id="session-456", tags=["langchain", "demo"])
llm = ChatOpenAI(model="gpt-4")
prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "你是一个专业的{role}"),
        ("human", "{question}"),
    ]
)
chain = prompt | llm
response = chain.invoke(
    {"role": "程序员", "question": "解释什么是递归"},
    config={"callbacks": [langfuse_handler]},
)
print(response.content)
langfuse_handler.flush()
