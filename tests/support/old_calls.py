"""A call as it was frozen and hashed before calls were dialogues."""

from __future__ import annotations

from typing import Any

OLD_CALL: dict[str, Any] = {
    "text": "Hello, this is Example Mobile.\nWe are calling \ufdd0person_name\ufdd1.\nIf this is not you, please hang up.\n"
    "This information about you was disclosed: \ufdd0data_types_of_person\ufdd1.\n\ufdd0first_step\ufdd1\n"
    "To hear all of our notice, call 0, 2, 0. 1, 0, 0, 0, 0.\nYour code is: \ufdd0code\ufdd1.\n"
    "Once more, your code is: \ufdd0code\ufdd1.\nTo hear this again, press 1.\n\nThank you for listening. Goodbye.\n",
    "twiml": '<?xml version="1.0" encoding="UTF-8"?>\n<Response>\n'
    '  <Gather input="dtmf" numDigits="1" timeout="8">\n'
    '    <Say language="en-GB">Hello, this is Example Mobile.</Say>\n'
    '    <Say language="en-GB">We are calling \ufdd0person_name\ufdd1.</Say>\n'
    '    <Say language="en-GB">If this is not you, please hang up.</Say>\n'
    '    <Say language="en-GB">This information about you was disclosed: \ufdd0data_types_of_person\ufdd1.</Say>\n'
    '    <Say language="en-GB">\ufdd0first_step\ufdd1</Say>\n'
    '    <Say language="en-GB">To hear all of our notice, call 0, 2, 0. 1, 0, 0, 0, 0.</Say>\n'
    '    <Say language="en-GB">Your code is: \ufdd0code\ufdd1.</Say>\n'
    '    <Say language="en-GB">Once more, your code is: \ufdd0code\ufdd1.</Say>\n'
    '    <Say language="en-GB">To hear this again, press 1.</Say>\n'
    '  </Gather>\n  <Say language="en-GB">Thank you for listening. Goodbye.</Say>\n  <Hangup />\n</Response>\n',
    "steps": [
        {
            "kinds": ["location"],
            "text": "Turn off location access.",
            "labelled": "Location: Turn off location access.",
        }
    ],
}
"""What a call was in a frozen version before it had parts: one text for whoever picks up, and the same as TwiML."""

OLD_HASH = "0317e09d56f734dba34dc9e17d067d9a16e04ef78906fba9f43a55be73deab5f"
"""SHA-256 over the canonical JSON of small channels that were this call alone, as it was computed then."""
