"""`rediss://`: everything that works in plain text works over TLS."""

from __future__ import annotations

from collections.abc import Iterator

import anyio
import pytest
import trustme
from redis.exceptions import ConnectionError as StoreConnectionError

from orion_contracts.ledger import library_source
from orion_contracts.store import check_store, connect
from orion_contracts.streams import read_group, read_streams
from orion_lab.stores import StoreProcess, free_port

pytestmark = pytest.mark.needs("redis7")


@pytest.fixture(scope="module")
def addresses(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """A store that speaks TLS: its address with the authority to trust, and without."""
    folder, port = tmp_path_factory.mktemp("tls"), free_port()
    authority, files = trustme.CA(), {k: folder / f"{k}.pem" for k in ("ca", "key", "cert")}
    issued = authority.issue_cert("127.0.0.1", "localhost")
    authority.cert_pem.write_to_path(str(files["ca"]))
    issued.private_key_pem.write_to_path(str(files["key"]))
    issued.cert_chain_pems[0].write_to_path(str(files["cert"]))
    tls = {"tls-port": str(port), "tls-key-file": str(files["key"]),
           "tls-cert-file": str(files["cert"]), "tls-ca-cert-file": str(files["ca"]),
           "tls-auth-clients": "no"}  # fmt: skip
    with StoreProcess("redis7", folder / "store", password="secret", config=tls):
        plain = f"rediss://:secret@localhost:{port}/0"
        yield f"{plain}?ssl_ca_certs={files['ca']}", plain


async def test_streams_and_the_library(addresses: tuple[str, str]) -> None:
    """The ledger's functions load and both ways of reading streams answer as in plain text."""
    store = connect(addresses[0])
    try:
        assert (await check_store(store)).startswith("7.")
        await store.function_load(library_source(), replace=True)
        await store.flushdb()
        await store.xgroup_create("stream", "readers", mkstream=True)
        entry = await store.xadd("stream", {"payload": "{}"})
        found = await read_group(store, "readers", "me", "stream", ">", count=5, block_ms=100)
        assert found == [(entry, {b"payload": b"{}"})]
        again = await read_streams(store, {"stream": "0"}, count=5, block_ms=100)
        assert again == [(b"stream", found)]
        assert int(await store.call("DBSIZE")) == 1
    finally:
        await store.aclose()


async def test_an_unknown_authority_is_refused(addresses: tuple[str, str]) -> None:
    """The certificate is checked on both kinds of connection, and the error says so."""
    store = connect(addresses[1], retries=0)
    try:
        with anyio.fail_after(5), pytest.raises(StoreConnectionError, match=r"(?i)certificate"):
            await store.call("PING")
        with pytest.raises(StoreConnectionError, match=r"(?i)certificate"):
            await store.ping()
    finally:
        await store.aclose()
