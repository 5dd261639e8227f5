-- As observations (0001), a row for each score.
CREATE TABLE IF NOT EXISTS scores (
    `project_id` VARCHAR(255) NOT NULL,
    `timestamp` DATETIME(6) NOT NULL,
    `id` VARCHAR(4096) NOT NULL,
    `name` STRING NOT NULL,
    `trace_id` STRING NOT NULL,
    `observation_id` STRING NOT NULL,
    `session_id` STRING NOT NULL,
    `dataset_run_id` STRING NOT NULL,
    `source` STRING NOT NULL,
    `data_type` STRING NOT NULL,
    `value` DOUBLE NULL,
    `string_value` STRING NOT NULL,
    `comment` STRING NOT NULL,
    `metadata` STRING NOT NULL,
    `environment` STRING NOT NULL,
    `config_id` STRING NOT NULL,
    `queue_id` STRING NOT NULL,
    `author_user_id` STRING NOT NULL,
    `execution_trace_id` STRING NOT NULL,
    `created_at` DATETIME(6) NOT NULL,
    `updated_at` DATETIME(6) NOT NULL,
    `row_version` BIGINT NOT NULL,
    `is_deleted` BOOLEAN NOT NULL,
    INDEX by_id (`id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_name (`name`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_trace_id (`trace_id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_observation_id (`observation_id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_session_id (`session_id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_dataset_run_id (`dataset_run_id`) USING INVERTED PROPERTIES ("ignore_above" = "4096")
)
ENGINE = OLAP
UNIQUE KEY (`project_id`, `timestamp`, `id`)
AUTO PARTITION BY RANGE (date_trunc(`timestamp`, 'month')) (
    PARTITION earlier VALUES [("1900-01-01"), ("2000-01-01")),
    PARTITION later VALUES [("2100-01-01"), ("2300-01-01"))
)
DISTRIBUTED BY HASH (`id`) BUCKETS {buckets}
PROPERTIES (
    "replication_num" = "{replication_num}",
    "enable_unique_key_merge_on_write" = "true",
    "function_column.sequence_col" = "row_version",
    "compression" = "zstd"
);
