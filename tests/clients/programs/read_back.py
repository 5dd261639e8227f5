# Reads a trace back in the way each SDK offers, and prints what it got as JSON: read_back.py TRACE_ID MAJOR
import json
import sys

from langfuse import Langfuse

trace_id, major = sys.argv[1], int(sys.argv[2])
langfuse = Langfuse()
got = {"auth": langfuse.auth_check()}
if major == 2:
    trace = langfuse.fetch_trace(trace_id).data
    got["listed"] = trace_id in [each.id for each in langfuse.fetch_traces(limit=50).data]
    got["observation"] = langfuse.fetch_observation(trace.observations[0].id).data.trace_id
    got["session"] = len(langfuse.fetch_sessions(limit=50).data)
    got["scores"] = sorted(score.name for score in trace.scores)
elif major == 3:
    trace = langfuse.api.trace.get(trace_id)
    got["listed"] = trace_id in [each.id for each in langfuse.api.trace.list(limit=50).data]
    got["observation"] = langfuse.api.observations.get(trace.observations[0].id).trace_id
    got["session"] = len(langfuse.api.sessions.list(limit=50).data)
    got["scores"] = sorted(score.name for score in langfuse.api.score_v_2.get(trace_id=trace_id).data)
elif major == 4:
    trace = langfuse.api.trace.get(trace_id)
    got["listed"] = trace_id in [each.id for each in langfuse.api.trace.list(limit=50).data]
    got["observation"] = langfuse.api.legacy.observations_v1.get(trace.observations[0].id).trace_id
    got["session"] = len(langfuse.api.sessions.list(limit=50).data)
    got["scores"] = sorted(score.name for score in langfuse.api.scores.get_many(trace_id=trace_id).data)
if major < 5:
    got |= {"name": trace.name, "user": trace.user_id, "tags": trace.tags, "cost": trace.total_cost}
    got["observations"] = sorted(each.name for each in trace.observations)
if major >= 4:
    fields = "core,basic,time,io,metadata,model,usage,prompt,metrics"
    page = langfuse.api.observations.get_many(trace_id=trace_id, fields=fields, limit=50)
    got["observations"] = sorted(each.name for each in page.data)
    got["user"] = page.data[0].user_id
    got["cost"] = sum(each.total_cost or 0 for each in page.data)
if major == 5:
    got["scores"] = sorted(score.name for score in langfuse.api.scores.get_many(trace_id=trace_id).data)
if major >= 3:
    got["url"] = langfuse.get_trace_url(trace_id=trace_id)
print(json.dumps(got, ensure_ascii=False, default=str))
