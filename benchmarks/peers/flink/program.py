"""Flink SQL: the newest version of every answer, summed into cells, spread over series and windows.

The source is read to its end, so that the last results need not wait for a checkpoint.
"""

import os
from itertools import pairwise
from pathlib import Path

from pyflink.common import Configuration
from pyflink.table import EnvironmentSettings, TableEnvironment

ENV = os.environ
CONNECTION = f"'properties.bootstrap.servers' = '{ENV['BOOTSTRAP']}'"
WINDOWS = {"1h": 1, "24h": 15, "7d": 120, "30d": 480, "90d": 1_440}
BANDS = (18, 25, 35, 45, 55, 65)

ANSWERS = f"""
CREATE TABLE answers (
  response_id STRING, score INT, attributes ROW<plan STRING, region STRING, age INT>, answered_at TIMESTAMP_LTZ(3),
  arrived_at AS PROCTIME()
) WITH (
  'connector' = 'kafka', 'topic' = '{ENV["TOPIC"]}', {CONNECTION}, 'properties.group.id' = '{ENV["GROUP"]}',
  'scan.startup.mode' = 'earliest-offset', 'scan.bounded.mode' = 'latest-offset',
  'format' = 'json', 'json.timestamp-format.standard' = 'ISO-8601'
)"""

RESULTS = f"""
CREATE TABLE results (
  `window` STRING, bucket BIGINT, dimension STRING, `value` STRING, counts ARRAY<BIGINT>,
  PRIMARY KEY (`window`, bucket, dimension, `value`) NOT ENFORCED
) WITH (
  'connector' = 'upsert-kafka', 'topic' = '{ENV["RESULTS"]}', {CONNECTION},
  'key.format' = 'json', 'value.format' = 'json'
)"""

BAND = (
    f"CASE WHEN age < {BANDS[0]} THEN 'under {BANDS[0]}' "
    + " ".join(f"WHEN age < {high} THEN '{low}-{high - 1}'" for low, high in pairwise(BANDS))
    + f" ELSE '{BANDS[-1]}+' END"
)

NEWEST = f"""
CREATE VIEW newest AS
SELECT plan, region, {BAND} AS age, score, TIMESTAMPDIFF(MINUTE, TO_TIMESTAMP_LTZ(0, 3), answered_at) AS `minute`
FROM (
  SELECT attributes.plan AS plan, attributes.region AS region, attributes.age AS age, score, answered_at,
    ROW_NUMBER() OVER (PARTITION BY response_id ORDER BY arrived_at DESC) AS version
  FROM answers
) WHERE version = 1"""  # noqa: S608 - our own words

SCORES = range(11)
CELLS = f"""
CREATE VIEW cells AS
SELECT plan, region, age, `minute`, {", ".join(f"COUNT(*) FILTER (WHERE score = {s}) AS s{s}" for s in SCORES)}
FROM newest GROUP BY plan, region, age, `minute`"""  # noqa: S608

SERIES = (
    "ROW('', ''), ROW('plan', plan), ROW('region', region), ROW('age', age), "
    "ROW('plan x region', plan || '|' || region)"
)
BUCKETS = ", ".join(
    [*(f"ROW('{name}', `minute` / {width})" for name, width in WINDOWS.items()), "ROW('all', `minute` * 0)"]
)
COUNT = f"""
INSERT INTO results
SELECT `window`, CAST(bucket AS BIGINT), dimension, `value`, ARRAY[{", ".join(f"SUM(s{s})" for s in SCORES)}]
FROM cells
CROSS JOIN UNNEST(ARRAY[{SERIES}]) AS s (dimension, `value`)
CROSS JOIN UNNEST(ARRAY[{BUCKETS}]) AS b (`window`, bucket)
GROUP BY `window`, bucket, dimension, `value`"""  # noqa: S608


def main() -> None:
    config = Configuration()
    for key, value in {
        "pipeline.jars": Path(ENV["CONNECTOR"]).as_uri(),
        "parallelism.default": ENV["WORKERS"],
        "state.backend.type": "hashmap",
        "execution.checkpointing.interval": "10 s",
        "execution.checkpointing.dir": (Path(ENV["STATE"]) / "checkpoints").as_uri(),
        "table.exec.mini-batch.enabled": "true",
        "table.exec.mini-batch.allow-latency": "1 s",
        "table.exec.mini-batch.size": "100000",
    }.items():
        config.set_string(key, value)
    tables = TableEnvironment.create(
        EnvironmentSettings.new_instance().in_streaming_mode().with_configuration(config).build()
    )
    for statement in (ANSWERS, RESULTS, NEWEST, CELLS):
        tables.execute_sql(statement)
    tables.execute_sql(COUNT).wait()


if __name__ == "__main__":
    main()
