-- Search also looks for words in names, metadata and the like: all short texts of a row as one, in exactly the form in
-- which queries ask (`queries/explorer/search.py`). Parts get the index when they are merged.
ALTER TABLE observations ADD INDEX IF NOT EXISTS words_grams lower(concat(name, '\n', status_message, '\n', user_id, '\n', session_id, '\n', arrayStringConcat(mapKeys(metadata), '\n'), '\n', arrayStringConcat(mapValues(metadata), '\n'))) TYPE ngrambf_v1(3, 8192, 2, 0) GRANULARITY 1;
