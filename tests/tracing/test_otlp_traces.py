from tests.tracing.otlp_requests import ROOT_ID, START_NS, decode, request, span, trace_update

CHILD = {"spanId": "00f067aa0ba902b7", "parentSpanId": ROOT_ID}


def test_a_root_says_everything():
    update = trace_update(
        {
            "input": "hello",
            "output": "bye",
            "user.id": "ada",
            "session.id": "s",
            "langfuse.release": "r",
            "langfuse.version": "v",
            "langfuse.environment": "prod",
            "langfuse.trace.tags": ["t"],
            "langfuse.trace.public": False,
            "langfuse.trace.metadata.a": "1",
            "langfuse.observation.metadata.b": "2",
            "langfuse.observation.metadata.a": "wins",
            "other": "x",
        },
        name="checkout",
    )
    assert update.fields == {
        "name": "checkout",
        "root_id": ROOT_ID,
        "root_type": "SPAN",
        "input_preview": "hello",
        "output_preview": "bye",
        "environment": "prod",
        "user_id": "ada",
        "session_id": "s",
        "release": "r",
        "version": "v",
        "public": False,
    }
    assert update.tags == ["t"]
    assert update.metadata == {"a": "wins", "b": "2"}
    assert update.at == update.timestamp == update.start


def test_only_what_was_sent_is_said():
    assert trace_update().fields == {
        "name": "step",
        "root_id": ROOT_ID,
        "root_type": "SPAN",
        "input_preview": "",
        "output_preview": "",
        "environment": "default",
    }


def test_trace_content_is_kept_on_the_trace_and_previewed():
    update = trace_update(
        {"langfuse.trace.input": '{"q": 1}', "langfuse.observation.input": "own", "langfuse.observation.output": "out"}
    )
    assert update.fields["input"] == '{"q": 1}'
    assert update.fields["input_preview"] == '{"q": 1}'
    assert update.fields["output_preview"] == "out"
    assert "output" not in update.fields


def test_the_trace_name_comes_before_the_span_name():
    assert trace_update({"langfuse.trace.name": "mine"}).fields["name"] == "mine"


def test_an_observation_that_is_made_root_says_everything():
    update = trace_update({"langfuse.internal.as_root": "true"}, **CHILD)
    assert update.fields["root_id"] == CHILD["spanId"]
    assert "root_id" not in trace_update({"langfuse.internal.as_root": "no"}, **CHILD).fields


def test_a_child_with_updates_says_those():
    update = trace_update(
        {"langfuse.trace.name": "late", "user.id": "ada", "langfuse.observation.metadata.b": "2", "input": "x"}, **CHILD
    )
    assert update.fields == {"name": "late", "user_id": "ada", "environment": "default"}
    assert update.metadata == {}


def test_a_childs_trace_metadata_is_an_update():
    assert trace_update({"langfuse.trace.metadata.k": ["x"]}, **CHILD).metadata == {"k": '["x"]'}
    assert trace_update({"langfuse.trace.metadata": '{"a": {"b": 1}}'}, **CHILD).metadata == {"a.b": "1"}


def test_a_childs_own_name_is_not_the_traces():
    assert "name" not in trace_update({"user.id": "ada"}, **CHILD).fields


def test_other_children_only_widen_the_trace():
    update = trace_update({"gen_ai.conversation.id": "c", "input": "x"}, **CHILD)
    assert (update.fields, update.tags, update.metadata) == ({}, [], {})
    assert update.start is not None


def test_a_child_in_an_environment_names_it():
    assert trace_update({"langfuse.environment": "prod"}, **CHILD).fields == {"environment": "prod"}


def test_metadata_of_the_resource_is_the_traces():
    document = request(span(), langfuse__trace__metadata__team="core")
    assert decode(document).trace_updates[0].metadata == {"team": "core"}


def test_each_span_says_when_it_was():
    children = [
        span(spanId=f"{n:016x}", parentSpanId=ROOT_ID, startTimeUnixNano=str(START_NS + n * 1000)) for n in range(1, 4)
    ]
    updates = decode(request(span(), *children)).trace_updates
    assert [update.start.microsecond for update in updates] == [0, 1, 2, 3]
