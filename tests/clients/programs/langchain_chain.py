from langfuse import get_client
from langfuse.langchain import CallbackHandler
from langchain_openai import ChatOpenAI
from langchain_core.prompts import ChatPromptTemplate

# 初始化 Langfuse 回调
langfuse = get_client()
langfuse_handler = CallbackHandler()
# 创建 LangChain 组件
llm = ChatOpenAI(model="gpt-4")
prompt = ChatPromptTemplate.from_messages(
    [
        ("system", "你是一个专业的{role}"),
        ("human", "{question}"),
    ]
)
chain = prompt | llm
# 调用时传入回调
response = chain.invoke(
    {"role": "程序员", "question": "解释什么是递归"},
    config={
        "callbacks": [langfuse_handler],
        "metadata": {
            "langfuse_user_id": "user-123",
            "langfuse_session_id": "session-456",
            "langfuse_tags": ["langchain", "demo"],
        },
    },
)
print(response.content)
