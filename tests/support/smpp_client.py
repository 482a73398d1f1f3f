"""A client for trying the tests' own message centres: it keeps no rule by itself."""

from __future__ import annotations

import socket

from tests.support.smpp_octets import HEADER, Command, Pdu

BIND = Pdu(Command.BIND_TRANSCEIVER, 0, 1, b"tocsin\0s3cret\0\0\x34\0\0\0")


class Client:
    """It writes what it is given, and reads PDUs."""

    def __init__(self, port: int) -> None:
        self.wire = socket.create_connection(("127.0.0.1", port), timeout=20)
        self.file = self.wire.makefile("rb")

    def say(self, *pdus: Pdu) -> None:
        self.wire.sendall(b"".join(pdu.octets() for pdu in pdus))

    def rest(self) -> bytes:
        """All that comes until the other side closes."""
        try:
            return self.file.read()
        except ConnectionError:
            return b""

    def read(self) -> Pdu:
        length, command, status, sequence = HEADER.unpack(self.file.read(HEADER.size))
        return Pdu(command, status, sequence, self.file.read(length - HEADER.size))

    def close(self) -> None:
        self.file.close()
        self.wire.close()
