"""A relationship survey on real parts: who is known is asked by schedule, once."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.conftest import Serve
from tests.real.wait import until


async def test_who_is_known_is_asked_by_schedule_and_only_once(serve: Serve) -> None:
    starts = (datetime.now(UTC) - timedelta(days=2)).date().isoformat()  # the first round is over
    survey = {"id": "relationship", "every": "1d", "starts": starts, "quiet_period": "1d"}
    program = serve({"surveys": [survey]})
    async with httpx.AsyncClient(base_url=program.url, trust_env=False, timeout=10) as web:

        async def decided(customer: str) -> list[tuple[str, str, str]]:
            reply = (await web.get("/v1/decisions", params={"customer_id": customer})).raise_for_status().json()
            return [
                (one["event"], verdict["decision"], verdict["reason"])
                for one in reply["decisions"]
                for verdict in one["verdicts"]
            ]

        async def asked(customer: str) -> list[tuple[str, str, str]]:
            return [one for one in await decided(customer) if one[0] == "ask"]

        async def met(customer: str) -> None:
            contact: dict[str, Any] = {"email": f"{customer}@example.com"}
            body = {"event": "Signed Up", "customer_id": customer, "contact": contact}
            (await web.post("/v1/touchpoints", json=body)).raise_for_status()

        await met("ann")
        await until(lambda: asked("ann"), message="ann is asked by schedule")
        program.kill()
        program.launch()
        program.wait()
        await met("bob")
        await until(lambda: asked("bob"), message="bob is asked by schedule, so a walk has met ann again")
        assert await asked("ann") == [("ask", "asked", "triggered")]
