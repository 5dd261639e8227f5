CREATE TABLE IF NOT EXISTS traces (
    project_id LowCardinality(String),
    id String CODEC(ZSTD(1)),
    timestamp DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    name LowCardinality(String),
    user_id String CODEC(ZSTD(1)),
    session_id String CODEC(ZSTD(1)),
    tags Array(LowCardinality(String)),
    public Bool,
    bookmarked Bool,
    environment LowCardinality(String),
    release LowCardinality(String),
    version LowCardinality(String),
    input String CODEC(ZSTD(1)),
    output String CODEC(ZSTD(1)),
    input_preview String CODEC(ZSTD(1)),
    output_preview String CODEC(ZSTD(1)),
    metadata Map(LowCardinality(String), String) CODEC(ZSTD(1)),
    root_id String CODEC(ZSTD(1)),
    root_type LowCardinality(String),
    first_start DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    last_start DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    set_at Map(LowCardinality(String), Int64) CODEC(ZSTD(1)),
    created_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    updated_at DateTime64(6, 'UTC') CODEC(Delta(8), ZSTD(1)),
    row_version UInt64 CODEC(Delta(8), ZSTD(1)),
    is_deleted UInt8,
    INDEX by_id id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_session session_id TYPE bloom_filter(0.01) GRANULARITY 1,
    INDEX by_user user_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = ReplacingMergeTree(row_version, is_deleted)
PARTITION BY toYYYYMM(timestamp)
ORDER BY (project_id, timestamp, id)
SETTINGS
    index_granularity = 2048,
    min_bytes_for_wide_part = 134217728,
    fsync_after_insert = 1,
    fsync_part_directory = 1,
    min_compressed_bytes_to_fsync_after_merge = 1,
    old_parts_lifetime = 10;
