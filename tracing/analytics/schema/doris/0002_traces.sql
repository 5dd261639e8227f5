-- As observations (0001), a row for each trace.
CREATE TABLE IF NOT EXISTS traces (
    `project_id` VARCHAR(255) NOT NULL,
    `timestamp` DATETIME(6) NOT NULL,
    `id` VARCHAR(4096) NOT NULL,
    `name` STRING NOT NULL,
    `user_id` STRING NOT NULL,
    `session_id` STRING NOT NULL,
    `tags` ARRAY<STRING> NOT NULL,
    `public` BOOLEAN NOT NULL,
    `bookmarked` BOOLEAN NOT NULL,
    `environment` STRING NOT NULL,
    `release` STRING NOT NULL,
    `version` STRING NOT NULL,
    `input` STRING NOT NULL,
    `output` STRING NOT NULL,
    `input_preview` STRING NOT NULL,
    `output_preview` STRING NOT NULL,
    `metadata` JSON NOT NULL,
    `root_id` STRING NOT NULL,
    `root_type` STRING NOT NULL,
    `first_start` DATETIME(6) NOT NULL,
    `last_start` DATETIME(6) NOT NULL,
    `set_at` JSON NOT NULL,
    `created_at` DATETIME(6) NOT NULL,
    `updated_at` DATETIME(6) NOT NULL,
    `row_version` BIGINT NOT NULL,
    `is_deleted` BOOLEAN NOT NULL,
    INDEX by_id (`id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_name (`name`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_user_id (`user_id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_session_id (`session_id`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_environment (`environment`) USING INVERTED PROPERTIES ("ignore_above" = "4096"),
    INDEX by_tags (`tags`) USING INVERTED
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
