# A prompt in a LangChain chain, in all generations of the Python SDK: fetched, converted, filled, and linked to the call.
import sys

import langfuse as package
from langchain_core.prompts import ChatPromptTemplate
from langchain_openai import ChatOpenAI

name = sys.argv[1]
if hasattr(package, "get_client"):
    from langfuse.langchain import CallbackHandler

    langfuse = package.get_client()
    history = [{"type": "placeholder", "name": "history"}]
    given = {"history": [("human", "hi"), ("ai", "你好")]}
else:
    from langfuse.callback import CallbackHandler

    langfuse = package.Langfuse()
    history = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "你好"}]  # it knows no placeholders
    given = {}

langfuse.create_prompt(
    name=name,
    type="chat",
    prompt=[
        {"role": "system", "content": "You know {{what}}."},
        *history,
        {"role": "user", "content": "{{question}}"},
    ],
    labels=["production"],
)
prompt = langfuse.get_prompt(name, type="chat")
template = ChatPromptTemplate.from_messages(prompt.get_langchain_prompt())
template.metadata = {"langfuse_prompt": prompt}
handler = CallbackHandler()
response = (template | ChatOpenAI(model="gpt-4")).invoke(
    {"what": "films", "question": "解释什么是递归", **given}, config={"callbacks": [handler]}
)
print(response.content)
(handler if hasattr(handler, "flush") else langfuse).flush()
