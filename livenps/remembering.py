"""What is known of customers from before the log of touchpoints begins, which is kept for weeks only."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec.structs import replace

from streams.decoder import Decoder
from streams.events import Attempt, Bounced, ContactRecord, Merged, SurveyRequest, Time, Unsubscribed
from streams.log_reader import LogReader
from streams.times import LATEST, from_ms, to_ms
from streams.topics import ATTEMPTS, CONTACTS, REQUESTS, TOUCHPOINTS, Topic
from surveys.contacts import NOBODY, ContactState, recall, times
from surveys.profile import Profile, until

READ = (TOUCHPOINTS, CONTACTS, ATTEMPTS, REQUESTS)

States = dict[str, ContactState]


async def remembered(reader: LogReader, topics: Mapping[str, Topic], partition: int, decoder: Decoder) -> States:
    """The customers of a partition as they were when its log of touchpoints begins. Raises KafkaError."""
    began, told = await _told(reader, topics[TOUCHPOINTS], partition, decoder)
    states: States = {}
    async for contacts in reader.events(topics[CONTACTS].name, partition, ContactRecord):
        _recall(states, [earlier(one, began, flagged=one.customer_id not in told) for one in contacts])
    async for attempts in reader.events(topics[ATTEMPTS].name, partition, Attempt):
        _recall(states, [one for one in attempts if to_ms(one.at) < began])
    async for requests in reader.events(topics[REQUESTS].name, partition, SurveyRequest):
        _recall(states, [one for one in requests if to_ms(one.due_at) < began])
    return states


def earlier(record: ContactRecord, at: int, *, flagged: bool) -> ContactRecord:
    """What a contact's record tells of the time before ``at`` (ms).

    That somebody unsubscribed, or an address bounced, has no time: it is of before where ``flagged`` says so.
    """
    told = Profile(
        record.contact, to_ms(record.updated_at), {name: to_ms(at) for name, at in record.older.items()}
    )
    contact, updated_at, older = until(told, at)
    merged = record.merged_at is not None and to_ms(record.merged_at) < at
    return replace(
        record,
        contact=contact,
        updated_at=from_ms(updated_at),
        older=times(older),
        unsubscribed=record.unsubscribed and flagged,
        bounced=record.bounced if flagged else "",
        answered=_before(record.answered, at),
        declined=_before(record.declined, at),
        asked=_before(record.asked, at),
        recent=_before(record.recent, at),
        merged=_before(record.merged, at),
        merged_into=record.merged_into if merged else "",
        merged_at=record.merged_at if merged else None,
    )


async def _told(reader: LogReader, topic: Topic, partition: int, decoder: Decoder) -> tuple[int, Collection[str]]:
    """When (ms) the log begins, and of whom it tells itself that they unsubscribed, or that an address bounced."""
    began, told = LATEST, set()
    first, end = await reader.bounds(topic.name, partition)
    async for records in reader.read(topic.name, partition, first, end):
        began = min(began, records[0].timestamp)
        for item in decoder.batch(partition, topic.partitions, records[0].offset, records, began).items:
            if isinstance(item.event, Unsubscribed | Bounced | Merged):
                told.add(item.event.customer_id)
    return began, told


def _recall(states: States, events: Collection[ContactRecord | Attempt | SurveyRequest]) -> None:
    for event in events:
        state = recall(event, states.get(event.customer_id, NOBODY))
        if state != NOBODY:  # who is known since then only is not there yet
            states[event.customer_id] = state


def _before(instants: Mapping[str, Time], at: int) -> dict[str, Time]:
    return {name: told for name, told in instants.items() if to_ms(told) < at}
