"""What the simulated shop's customers write, by survey and by how they feel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Literal

Feeling = Literal["promoter", "passive", "detractor"]

ANYWHERE: Mapping[Feeling, Sequence[str]] = {
    "promoter": (
        "Love it, no complaints.",
        "Everything just works.",
        "I have told all my friends about you.",
        "Friendly people and a great product.",
        "Best shop of its kind, by far.",
        "Easy to use from the first minute.",
        "Great value for the money.",
        "You clearly care about your customers.",
    ),
    "passive": (
        "Good, but nothing special.",
        "Does the job.",
        "A little expensive for what it is.",
        "The app could be faster.",
        "Fine overall, the search needs work.",
        "Prices went up again.",
        "I like it, but others offer the same.",
        "Solid, with room to improve.",
    ),
    "detractor": (
        "Too expensive.",
        "The website kept crashing on my phone.",
        "Not what was promised.",
        "I am looking at alternatives.",
        "Far too complicated.",
        "It used to be better.",
        "Nobody seems to read this feedback.",
        "The last update broke my account page.",
    ),
}

SURVEYS: Mapping[str, Mapping[Feeling, Sequence[str]]] = {
    "post-purchase": {
        "promoter": (
            "Arrived a day early!",
            "Lovely packaging, quick delivery.",
            "Ordering took me two minutes.",
            "Exactly as pictured.",
            "Third order and always on time.",
            "The quality is even better than I expected.",
            "The courier was so kind.",
            "Free returns make it easy to try things.",
        ),
        "passive": (
            "Delivery was on time, the box was a bit dented.",
            "Shipping costs more than I would like.",
            "The colour differs a little from the photo.",
            "I would have liked a delivery window.",
            "Checkout asked for my address twice.",
            "Good product, too much plastic in the box.",
            "The size guide is confusing.",
            "Tracking was a day behind.",
        ),
        "detractor": (
            "The wrong size, and returning it is a pain.",
            "Arrived broken.",
            "Half of my order was missing.",
            "The courier left it in the rain.",
            "The quality is poor for this price.",
            "I was charged twice.",
            "It looks nothing like the photo.",
            "My voucher was refused at checkout.",
        ),
    },
    "relationship": {
        "promoter": (
            "It saves my team hours every week.",
            "I have been with you for years and would not switch.",
            "The new reports are brilliant.",
            "Reliable, every single day.",
            "Your team listens and ships what we ask for.",
            "Onboarding was a breeze.",
            "The integrations are excellent.",
            "Security review passed without a question.",
        ),
        "passive": (
            "I miss a dark mode.",
            "The mobile app lags behind the web.",
            "Good product, the docs could be clearer.",
            "More integrations please.",
            "Exports are a bit clumsy.",
            "We use only half of it.",
            "Permissions are too coarse for us.",
            "The free plan became very small.",
        ),
        "detractor": (
            "Constant small outages this month.",
            "The price increase was not explained.",
            "Missing features we were promised a year ago.",
            "Too slow with our amount of data.",
            "Billing is a mess.",
            "We had to build the reports ourselves.",
            "I cannot recommend it to larger teams.",
            "Cancelling a seat takes a phone call.",
        ),
    },
    "support": {
        "promoter": (
            "Solved within ten minutes, wow.",
            "Sam from support was fantastic.",
            "They called me back, and it was fixed.",
            "Clear answer, no copy and paste.",
            "The chat is quick and human.",
            "They even followed up a day later.",
            "Refund on the same day, thank you.",
            "Patient and competent.",
        ),
        "passive": (
            "Solved, but it took two days.",
            "I had to explain it twice.",
            "Helpful, after the bot gave up.",
            "Friendly, the answer was rather short.",
            "The first reply was a template.",
            "A phone number would help.",
            "Fixed now, I hope it stays so.",
            "The waiting time was longer than announced.",
        ),
        "detractor": (
            "I waited a week for an answer.",
            "The ticket was closed without a solution.",
            "Passed on to four different people.",
            "The bot is useless.",
            "Still not fixed.",
            "Rude on the phone.",
            "They did not read what I wrote.",
            "I gave up and solved it myself.",
        ),
    },
    "checkout": {
        "promoter": (
            "Paid in one tap.",
            "Fewer steps than anywhere else.",
            "It remembered my address.",
            "Quick and clear.",
        ),
        "passive": (
            "It asked for my phone number, why?",
            "The voucher field is hard to find.",
            "One page less would do.",
            "Fine, but the total came late.",
        ),
        "detractor": (
            "My card was refused twice.",
            "I had to start again after an error.",
            "The delivery fee appeared at the very end.",
            "It would not take my address.",
        ),
    },
    "returns": {
        "promoter": (
            "The label was in the box, done in a minute.",
            "Picked up at my door.",
            "The money was back the next day.",
            "No questions asked.",
        ),
        "passive": (
            "I had to print the label myself.",
            "The parcel shop is a long walk.",
            "It took a week until I was paid back.",
            "The form asks for a lot.",
        ),
        "detractor": (
            "I called three times for a label.",
            "I paid for the way back.",
            "The form did not know my order.",
            "Still waiting for my money.",
        ),
    },
}

LATE: Sequence[str] = (
    "My parcel is five days late.",
    "Where is my order?",
    "Delivery was promised for Monday, it is Friday now.",
    "Tracking has not moved for days.",
    "Late again, and nobody tells me why.",
    "It came after the birthday it was meant for.",
    "The warehouse seems to have lost my parcel.",
    "Three delivery dates, none of them kept.",
    "I stayed at home all day for nothing.",
    "Much too late, I bought it elsewhere.",
    "No parcel, no answer.",
    "A week late, and no apology.",
)


def comment(dice: Random, survey_id: str, feeling: Feeling, *, late: bool) -> str:
    """One or two sentences of a customer; who waits for a parcel and is unhappy writes about that."""
    if late and feeling == "detractor":
        pool = LATE
    else:
        pool = [*ANYWHERE[feeling], *SURVEYS.get(survey_id, {}).get(feeling, ())]
    return " ".join(dice.sample(pool, dice.choice((1, 1, 2))))
