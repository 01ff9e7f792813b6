"""An answer carries the weight of its invitation: how many customers it stands for."""

import json
import time

from surveys.sampling import sampled
from tests.real import records
from tests.real.kafka import Kafka
from tests.real.receiver import Receiver
from tests.web.api import Api
from tests.web.conftest import HALF


async def test_the_weight_of_the_sample_is_stamped_into_the_answer(
    api: Api, receiver: Receiver, kafka: Kafka, prefix: str
) -> None:
    now = int(time.time() * 1_000)
    customer = next(f"weighed-{n}" for n in range(99) if sampled(f"weighed-{n}", HALF, 0.5, now))
    link = await api.invited(receiver, HALF, customer_id=customer)
    assert (await api.client.post(link, data={"score": "9"})).status_code == 200
    values = [json.loads(one.value) for one in await records.read(kafka.bootstrap, f"{prefix}survey.responses")]
    assert [one.get("weight") for one in values if one.get("customer_id") == customer] == [2]
