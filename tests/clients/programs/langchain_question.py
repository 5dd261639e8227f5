import os
from langfuse.langchain import CallbackHandler
from langchain_openai import ChatOpenAI

# Create your LangChain components (using DeepSeek API)
llm = ChatOpenAI(model="deepseek-chat", openai_api_base=os.environ["OPENAI_BASE_URL"])

# ask a question
question = "Doris 可观测性解决方案的特点是什么？回答简洁清晰"
print(f"question: {question} \n")

# Run your chain with Langfuse tracing
try:
    # Initialize the Langfuse handler
    langfuse_handler = CallbackHandler()
    response = llm.invoke(question, config={"callbacks": [langfuse_handler]})
    print(f"response: {response.content}")
except Exception as e:
    print(f"Error during chain execution: {e}")
