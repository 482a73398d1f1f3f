"""CACAO 2.0's vocabularies: open ones (another word is allowed, and may be unknown to others)."""

from __future__ import annotations

from collections.abc import Mapping

PLAYBOOK_TYPES = frozenset(
    [
        "attack",
        "detection",
        "engagement",
        "investigation",
        "mitigation",
        "notification",
        "prevention",
        "remediation",
    ]
)
ACTIVITIES_OF_TYPES: Mapping[str, tuple[str, ...]] = {
    "notification": ("compose-content",),
    "detection": ("match-indicator",),
    "investigation": ("identify-indicators",),
    "prevention": ("configure-systems",),
    "mitigation": ("eliminate-risk",),
    "remediation": ("restore-capabilities",),
    "attack": ("step-sequence",),
    "engagement": ("prepare-engagement", "execute-operation", "analyze-engagement-results"),
}
"""Section 3.1.2: the activities that a playbook of each type must hold."""
ACTIVITIES = frozenset(
    [
        "compose-content",
        "deliver-content",
        "identify-audience",
        "identify-channel",
        "scan-system",
        "match-indicator",
        "analyze-collected-data",
        "identify-indicators",
        "scan-vulnerabilities",
        "configure-systems",
        "restrict-access",
        "disconnect-system",
        "eliminate-risk",
        "revert-system",
        "restore-data",
        "restore-capabilities",
        "map-network",
        "identify-steps",
        "step-sequence",
        "prepare-engagement",
        "execute-operation",
        "analyze-engagement-results",
    ]
)
COMMANDS_IN_TEXT = frozenset(["manual", "bash", "ssh", "powershell", "caldera-cmd"])
COMMANDS_IN_BASE64 = frozenset(["elastic", "jupyter", "kestrel", "sigma", "yara"])
COMMANDS_OVER_HTTP = frozenset(["http-api", "openc2-http"])
COMMANDS = COMMANDS_IN_TEXT | COMMANDS_IN_BASE64 | COMMANDS_OVER_HTTP
PEOPLE = frozenset(["group", "individual", "organization"])
MACHINES = frozenset(["http-api", "linux", "net-address", "ssh"])
AGENTS = PEOPLE | MACHINES | frozenset(["location", "sector", "security-category"])
AUTHENTICATIONS = frozenset(["http-basic", "oauth2", "user-auth"])
VARIABLES = frozenset(
    [
        "bool",
        "dictionary",
        "float",
        "hexstring",
        "integer",
        "ipv4-addr",
        "ipv6-addr",
        "long",
        "mac-addr",
        "hash",
        "md5-hash",
        "sha256-hash",
        "string",
        "uri",
        "uuid",
    ]
)
FEATURES = frozenset(
    [
        "manual_playbook",
        "external_playbooks",
        "parallel_processing",
        "if_logic",
        "while_logic",
        "switch_logic",
        "temporal_logic",
        "data_markings",
        "digital_signatures",
        "countersigned_signatures",
        "extensions",
    ]
)
TLP: Mapping[str, str] = {
    "marking-tlp--94868c89-83c2-464b-929b-a1a8aa3c8487": "TLP:CLEAR",
    "marking-tlp--bab4a63c-aed9-4cf5-a766-dfca5abac2bb": "TLP:GREEN",
    "marking-tlp--55d920b0-5e8b-4f79-9ee9-91f868d9b421": "TLP:AMBER",
    "marking-tlp--939a9414-2ddd-4d32-a0cd-375ea402b003": "TLP:AMBER+STRICT",
    "marking-tlp--e828b379-4e03-4974-9ac4-e53a884c97c1": "TLP:RED",
}
"""The markings of the Traffic Light Protocol 2.0; their ids are fixed."""
MARKINGS = frozenset(["marking-tlp", "marking-statement", "marking-iep"])
IEP_WORDS = (
    *("name", "description", "tlp", "iep_version", "start_date", "end_date", "encrypt_in_transit"),
    *("permitted_actions", "affected_party_notifications", "attribution", "unmodified_resale"),
    "external_references",
)
