"""The ceiling of a Python consumer: fetch, decode, nothing else."""

import os

import msgspec
import uvloop
from aiokafka import AIOKafkaConsumer

from streams.events import Response


async def main() -> None:
    left = int(os.environ["ANSWERS"])
    consumer = AIOKafkaConsumer(
        os.environ["TOPIC"],  # without a group: all partitions
        bootstrap_servers=os.environ["BOOTSTRAP"],
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
        fetch_max_wait_ms=100,
    )
    decode = msgspec.json.Decoder(Response).decode
    await consumer.start()
    try:
        while left:
            fetched = await consumer.getmany(timeout_ms=200, max_records=10_000)
            for records in fetched.values():
                for record in records:
                    decode(record.value)
                left -= len(records)
    finally:
        await consumer.stop()


if __name__ == "__main__":
    uvloop.run(main())
