"""Which addresses pushes may go to: those out on the internet, in whatever disguise the others come."""

import pytest

from server.notices.addresses import public


@pytest.mark.parametrize(
    "address",
    ["142.250.74.106", "34.117.65.55", "17.188.143.34", "1.1.1.1", "2a00:1450:4001:80b::200a", "2620:149:a44:400::1"],
)
def test_addresses_of_the_internet_are_public(address: str) -> None:
    assert public(address)


@pytest.mark.catalogue("S18")
@pytest.mark.parametrize(
    "address",
    [
        *(
            "127.0.0.1",
            "127.8.8.8",
            "0.0.0.0",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
        ),
        *(
            "100.64.0.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.51.100.1",
            "203.0.113.1",
            "224.0.0.1",
            "240.0.0.1",
        ),
        *("255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1"),
        *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:8.8.8.8", "::127.0.0.1"),
        *(
            "64:ff9b::7f00:1",
            "64:ff9b::808:808",
            "2002:7f00:1::1",
            "2002:808:808::1",
            "2001:0:1::1",
            "100::1",
            "5f00::1",
        ),
    ],
)
def test_all_others_are_not(address: str) -> None:
    assert not public(address)
