"""Short messages and calls by Twilio's API: its account, sending, calling and looking up, the callbacks, and what is
said in a call. Needs the extra `twilio`; nothing of it is imported before a client is opened, a callback is checked or
a document is built."""
