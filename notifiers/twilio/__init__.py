"""Short messages by Twilio's API: its account, sending and looking up, and the status callbacks. Needs the extra
`twilio`; nothing of it is imported before a client is opened or a callback is checked."""
