"""What ingestion remembers between payloads is bounded, whatever clients send."""

import tracemalloc

import pytest

from tests.tracing.otlp_requests import decode, request, span
from tracing.ingest.environment import normalise_environment
from tracing.ingest.otlp.shape import shape_of
from tracing.models import Model, PricingTier
from tracing.pricing.rates import Call, priced_model


def grown(work):
    """Bytes kept by it."""
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()


def test_long_names_of_attributes():
    def many_names():
        for number in range(1_000):
            shape_of({f"{number}.{position}.{'x' * 5_000}": 1 for position in range(20)})

    assert grown(many_names) < 20_000_000


def decode_with_name(text):
    decode(request(span({"model": "m", text: 1})))


def price_with_unit(text):
    model.tier_for(Call({text: 1}))


LARGE_CALLS = {"usageDetailPattern": "input", "operator": "gt", "value": 200_000}
model = priced_model(Model(match_pattern="m"), [PricingTier(name="large", prices={}, conditions=[LARGE_CALLS])])


@pytest.mark.parametrize("send", [normalise_environment, decode_with_name, price_with_unit])
def test_long_texts(send):
    def many_texts():
        for number in range(300):
            send(f"{number:05d}" + "x" * 100_000)

    assert grown(many_texts) < 10_000_000


def test_what_comes_again_is_worked_out_once():
    usual = {"gen_ai.request.model": "m", "user.id": "u"}
    known = shape_of(usual)
    shape_of({f"{position}{'x' * 5_000}": 1 for position in range(50)})
    assert shape_of(dict(usual)) is known
