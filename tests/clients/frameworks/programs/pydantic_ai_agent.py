from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from pydantic import BaseModel
from pydantic_ai import Agent

provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)


class City(BaseModel):
    name: str


Agent.instrument_all()
weather = Agent("openai-chat:gpt-4o-mini", name="weather", instructions="Answer briefly.")
cities = Agent("openai:gpt-4o-mini", name="cities", output_type=City)


@weather.tool_plain
def get_weather(city: str) -> str:
    """The weather in a city."""
    return f"{city}: 晴"


attributes = {"user.id": "user-42", "session.id": "session-7"}
with trace.get_tracer("app").start_as_current_span("assistant", attributes=attributes):
    weather.run_sync("上海今天天气怎么样？")
    cities.run_sync("法国的首都是哪里？")
provider.shutdown()
