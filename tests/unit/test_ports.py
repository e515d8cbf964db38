"""Ports: what was asked for, what was kept, what is free; never two of one number, never somebody else's."""

from __future__ import annotations

import errno
import socket
import sys
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kratosctl.environment import Environment
from kratosctl.errors import ConfigurationInvalid, PortTaken
from kratosctl.host import ports
from tests.unit import stacks

SOME_PORTS = st.sampled_from([4433, 4434, 4455, 4533, 4555, 5432, 8025, 8125, 10000])
WANTED = st.dictionaries(st.sampled_from(list(ports.DEFAULTS)), st.none() | SOME_PORTS)


def allot(
    wanted: Mapping[str, int | None],
    kept: dict[str, int] | None = None,
    ours: set[int] | None = None,
    taken: Container[int] = (),
    first_step: int = 0,
) -> tuple[dict[str, int], list[str]]:
    return ports.allot(
        wanted,
        kept or {},
        ours or set(),
        lambda _, port: port in taken,
        lambda port: f"nginx (process {port})",
        first_step,
    )


class TestWanting:
    def test_only_what_is_published_wants_a_port(self) -> None:
        plain = stacks.environment(database="postgres", ui=False, mail=False)
        assert ports.wanted(plain) == {"public": None}
        full = stacks.environment(
            database="postgres", admin_port=1, postgres_port=2, ui_port=3, mail_port=4, public_port=5
        )
        assert ports.wanted(full) == {"public": 5, "admin": 1, "ui": 3, "mail": 4, "postgres": 2}

    def test_a_port_for_postgresql_means_nothing_without_postgresql(self) -> None:
        assert "postgres" not in ports.wanted(stacks.environment(database="sqlite", postgres_port=5432))

    @given(stacks.environments())
    def test_the_admin_api_and_the_database_are_never_published_unasked(self, asked: Environment) -> None:
        for name in ("admin", "postgres"):
            assert ports.wanted(asked).get(name, 1) is not None


class TestAllotting:
    def test_the_first_environment_of_a_host_gets_the_usual_ports(self) -> None:
        wanted = {"public": None, "ui": None, "mail": None}
        assert allot(wanted) == ({"public": 4433, "ui": 4455, "mail": 8025}, [])

    def test_the_second_gets_all_of_its_ports_a_hundred_higher(self) -> None:
        wanted = {"public": None, "ui": None, "mail": None}
        assert allot(wanted, taken={4455})[0] == {"public": 4533, "ui": 4555, "mail": 8125}

    def test_whoever_has_a_number_gets_that_many_hundred_higher(self) -> None:
        assert allot(dict.fromkeys(("public", "ui")), first_step=7)[0] == {"public": 5133, "ui": 5155}

    def test_all_of_them_are_tried_wherever_it_begins(self) -> None:
        assert allot({"public": None}, taken=range(4434, 65536), first_step=7)[0] == {"public": 4433}

    def test_ports_are_kept(self) -> None:
        kept = {"public": 4633, "ui": 4655}
        assert allot({"public": None, "ui": None}, kept) == (kept, [])

    def test_a_kept_port_that_somebody_took_moves_alone_and_is_said(self) -> None:
        found, notes = allot({"public": None, "ui": None}, {"public": 4433, "ui": 4455}, taken={4433})
        assert found == {"public": 4533, "ui": 4455}
        assert notes == ["port 4433 is taken by nginx (process 4433): the public API moves to 4533"]

    def test_our_own_containers_do_not_stand_in_our_way(self) -> None:
        kept = {"public": 4433}
        assert allot({"public": None}, kept, ours={4433}, taken={4433}) == (kept, [])
        assert allot({"public": 4433}, ours={4433}, taken={4433}) == (kept, [])

    def test_two_of_our_ports_can_change_places(self) -> None:
        found, _ = allot({"public": 4455, "ui": 4433}, {"public": 4433, "ui": 4455}, {4433, 4455}, {4433, 4455})
        assert found == {"public": 4455, "ui": 4433}

    def test_a_kept_port_gives_way_to_one_that_is_asked_for_now(self) -> None:
        found, notes = allot({"public": None, "ui": 4433}, {"public": 4433})
        assert found == {"public": 4533, "ui": 4433}
        assert notes == ["port 4433 is taken by another port of this environment: the public API moves to 4533"]

    def test_a_port_that_was_asked_for_is_not_exchanged_for_another(self) -> None:
        with pytest.raises(PortTaken) as caught:
            allot({"public": 4433}, taken={4433})
        assert caught.value.lines() == [
            "port 4433 is taken by nginx (process 4433)",
            "the public API was asked to listen there",
            "stop it, or choose another port: --public-port N",
        ]

    def test_one_port_cannot_be_asked_for_twice(self) -> None:
        with pytest.raises(PortTaken, match="another port of this environment"):
            allot({"public": 4455, "ui": 4455})

    def test_each_port_is_looked_for_where_it_is_published(self) -> None:
        open_here = stacks.environment(bind="0.0.0.0", database="postgres", admin_port=4434, postgres_port=5432)
        addresses = open_here.addresses
        assert {name: addresses[name] for name in ("public", "ui", "mail")} == dict.fromkeys(
            ("public", "ui", "mail"), "0.0.0.0"
        )
        assert (addresses["admin"], addresses["postgres"]) == ("127.0.0.1", "127.0.0.1")
        asked: list[tuple[str, int]] = []

        def nothing_listens(name: str, port: int) -> bool:
            asked.append((name, port))
            return False

        ports.allot({"public": None, "admin": 4434}, {}, set(), nothing_listens, str)
        assert asked == [("admin", 4434), ("public", 4433)]

    def test_a_full_host_is_said(self) -> None:
        with pytest.raises(PortTaken, match="no free port"):
            ports.allot({"public": None}, {}, set(), lambda name, port: True, str)

    @given(
        WANTED,
        st.dictionaries(st.sampled_from(list(ports.DEFAULTS)), SOME_PORTS),
        st.sets(SOME_PORTS),
        st.sets(SOME_PORTS),
    )
    def test_nobody_elses_port_is_given_and_none_twice(
        self, wanted: dict[str, int | None], kept: dict[str, int], ours: set[int], taken: set[int]
    ) -> None:
        try:
            found, notes = allot(wanted, kept, ours, taken)
        except PortTaken:
            asked = [port for port in wanted.values() if port]
            assert len(set(asked)) < len(asked) or set(asked) & (taken - ours)
            return
        assert set(found) == set(wanted)
        assert len(set(found.values())) == len(found)
        assert not set(found.values()) & (taken - ours)
        for name, port in wanted.items():
            assert port in (None, found[name])
        moved = [name for name in wanted if wanted[name] is None and name in kept and found[name] != kept[name]]
        assert len(notes) == len(moved)
        # once kept, they stay as they are
        assert allot(wanted, kept | found, set(found.values()), taken | set(found.values())) == (found, [])


class TestLooking:
    @contextmanager
    def listening(self, address: str = "127.0.0.1", family: socket.AddressFamily = socket.AF_INET) -> Iterator[int]:
        with socket.socket(family, socket.SOCK_STREAM) as server:
            server.bind((address, 0))
            server.listen()
            yield server.getsockname()[1]

    @pytest.mark.parametrize("listener", ["127.0.0.1", "0.0.0.0"])
    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
    def test_a_listener_takes_its_port(self, listener: str, address: str) -> None:
        with self.listening(listener) as port:
            assert ports.is_taken(port, address)
        assert not ports.is_taken(port, address)

    def test_a_listener_on_all_addresses_of_ipv6_takes_the_port_of_ipv4_too(self) -> None:
        try:
            with self.listening("::", socket.AF_INET6) as port:
                assert ports.is_taken(port, "127.0.0.1")
                assert ports.is_taken(port, "::1")
        except OSError as error:
            if error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                raise
            pytest.skip("no IPv6 here")

    def test_a_connection_that_has_ended_does_not_keep_its_port(self) -> None:
        with self.listening() as port, socket.create_connection(("127.0.0.1", port)):
            pass
        assert not ports.is_taken(port)

    @pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
    def test_an_address_that_is_not_this_hosts_is_not_called_a_taken_port(self, address: str) -> None:
        with pytest.raises(ConfigurationInvalid, match="is no address of this host"):
            ports.is_taken(4433, address)
        with pytest.raises(ConfigurationInvalid, match="is no address of this host"):
            ports.check_address(address)

    @pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "127.0.0.9"])
    def test_an_address_of_this_host_will_do(self, address: str) -> None:
        ports.check_address(address)

    @pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells without more rights")
    def test_whoever_listens_is_named(self) -> None:
        with self.listening() as port:
            assert ports.holder(port).startswith(("python", "pytest", "Python"))
            assert "(process " in ports.holder(port)
