import json
import sys

from langfuse import get_client
from langfuse.api import AnnotationQueueObjectType, AnnotationQueueStatus, ScoreConfigDataType

langfuse = get_client()
api = langfuse.api
name = sys.argv[1]
with langfuse.start_as_current_observation(name="answer", as_type="span", input="问题") as span:
    span.update(output="回答")
    trace_id = langfuse.get_current_trace_id()
langfuse.flush()

config = api.score_configs.create(name=name[:35], data_type=ScoreConfigDataType.BOOLEAN)
queue = api.annotation_queues.create_queue(name=name, description="人工评审", score_config_ids=[config.id])
item = api.annotation_queues.create_queue_item(
    queue.id, object_id=trace_id, object_type=AnnotationQueueObjectType.TRACE
)
pending = api.annotation_queues.list_queue_items(queue.id, status=AnnotationQueueStatus.PENDING)
# A program may judge as well: its score says in which queue.
langfuse.create_score(trace_id=trace_id, name=config.name, value=1, data_type="BOOLEAN", config_id=config.id)
langfuse.flush()
done = api.annotation_queues.update_queue_item(queue.id, item.id, status=AnnotationQueueStatus.COMPLETED)
left = api.annotation_queues.list_queue_items(queue.id, status=AnnotationQueueStatus.PENDING)
print(
    json.dumps(
        {
            "queue": queue.id,
            "trace": trace_id,
            "pending": [each.object_id for each in pending.data],
            "status": done.status.value,
            "completed": done.completed_at is not None,
            "left": api.annotation_queues.list_queue_items(
                queue.id, status=AnnotationQueueStatus.PENDING
            ).meta.total_items,
        }
    )
)
