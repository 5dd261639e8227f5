-- Lists ask for the scores of a page of traces at once. One id in a hundred is taken for another's by the first index,
-- so that of fifty ids nearly half of all granules seem to have one. Parts get the index when they are written or merged.
ALTER TABLE scores ADD INDEX IF NOT EXISTS of_traces trace_id TYPE bloom_filter(0.0005) GRANULARITY 1;
