from __future__ import annotations

from dataclasses import replace

from mediarip_mqtt.store import Changes, Probe, Tx
from tests.support.stores import NOW, OpenStore


async def test_probes_wait_in_their_order_until_they_are_answered(open_store: OpenStore) -> None:
    announced: list[Changes] = []
    store = await open_store(committed=announced.append)
    first = Probe(0, "https://example.com/1", "default", "r1", "a/reply", b"\x00id")
    second = Probe(0, "https://example.com/2", "bob", None, None, None)
    for probe in (first, second):
        await store.write(lambda tx, probe=probe: tx.add_probe(probe, NOW))  # type: ignore[misc] # bound in the loop
    assert announced[0].probes
    probes = await store.read(Tx.probes)
    assert [replace(probe, id=0) for probe in probes] == [first, second]
    await store.write(lambda tx: tx.end_probe(probes[0].id))
    assert await store.read(Tx.probes) == probes[1:]
