"""The part that closes a bucket to the public, with the real AWS CLI on a simulator of S3."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from incident.response.events import Outcome
from tests.support.clouds import S3
from tests.support.hosts import Host
from tests.support.parts import Carried, on_host
from tests.support.tools import need_tool

BEFORE = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": False,
    "RestrictPublicBuckets": False,
}


@pytest.fixture
def store() -> Iterator[S3]:
    with S3(letters=dict(BEFORE), photos=None) as service:
        yield service


@pytest.fixture
def carry(store: S3, tmp_path: Path) -> Iterator[Callable[..., Carried]]:
    folder = Path(need_tool("aws", "awscli")).parent
    environment = {
        "PATH": f"{folder}:/usr/local/bin:/usr/bin:/bin",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_MAX_ATTEMPTS": "1",
    }
    with Host(tmp_path / "host", environment=environment, network=False) as host:
        run = on_host(host, "block-public-access-s3")
        yield lambda **given: run(**{"__s3_url__": store.url, **given})


@pytest.mark.parametrize("bucket", ["letters", "photos"])
def test_strangers_are_refused_after_it_and_undo_restores_exactly_what_was_set(
    bucket: str, store: S3, carry: Callable[..., Carried]
) -> None:
    before = store.buckets[bucket]
    done = carry(__bucket__=bucket)
    assert (done.outcome, done.asked) == (Outcome.succeeded, [])
    assert store.buckets[bucket] == dict.fromkeys(BEFORE, True)
    assert done.measures() == ["contain.restrict-resource-access"]
    assert done.verified() == {"block"}
    assert all(each.success for each in done.undo())
    assert store.buckets[bucket] == before


def test_a_hostile_bucket_does_nothing_but_fail(store: S3, carry: Callable[..., Carried]) -> None:
    for hostile in ("letters; touch /run/owned", "--debug"):
        assert carry(__bucket__=hostile).outcome is Outcome.failed
    assert store.buckets == {"letters": BEFORE, "photos": None}
    assert not Path("/run/owned").exists()
