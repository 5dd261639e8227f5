from haystack import Pipeline
from haystack.components.builders import ChatPromptBuilder
from haystack.components.generators.chat import OpenAIChatGenerator
from haystack.dataclasses import ChatMessage
from haystack_integrations.components.connectors.langfuse import LangfuseConnector
from haystack_integrations.tracing.langfuse.tracer import tracing_context_var

pipeline = Pipeline()
pipeline.add_component("tracer", LangfuseConnector("assistant"))
pipeline.add_component("prompt", ChatPromptBuilder(template=[ChatMessage.from_user("{{question}}")]))
pipeline.add_component("model", OpenAIChatGenerator(model="gpt-4o-mini", generation_kwargs={"temperature": 0.2}))
pipeline.connect("prompt.prompt", "model.messages")

tracing_context_var.set({"user_id": "user-42", "session_id": "session-7"})
pipeline.run({"prompt": {"question": "法国的首都是哪里？"}})
