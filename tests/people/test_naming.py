"""Names that look alike are one name, whatever letters they are made of; and what may stand in a name at all."""

import pytest

from server.people.naming import LONGEST, fold, imitates, same, wrong

STAFF = ["Alex Example", "Kim Li", "Åsa Müller-Demo"]


@pytest.mark.parametrize(
    "name",
    [
        "Alex Example", "ALEX EXAMPLE", "alex  example.", "Аlех Ехаmрlе", "A1ex Examp|e", "Ａｌｅｘ Ｅｘａｍｐｌｅ",
        "Álèx Ëxample",
        "Example Alex", "The Alex Example", "Alex-Example", "AlexExample99", "Alex Exarnple", "Kim Li", "KIM LI", "Κim Lі",
        "Asa Muller Demo", "𝐀𝐥𝐞𝐱 𝐄𝐱𝐚𝐦𝐩𝐥𝐞",
        "ᴀʟᴇx ᴇxᴀᴍᴘʟᴇ", "ꓮꓡꓰꓫ ꓰꓫꓮꓟꓑꓡꓰ", "A\u04cfex Example", "\u0251lex Example", "🅰🅻🅴🆇 🅴🆇🅰🅼🅿🅻🅴", "A¡ex Example",
    ],
)  # fmt: skip
def test_what_looks_like_a_team_members_name_imitates_it(name: str) -> None:
    assert imitates(name, STAFF)


@pytest.mark.parametrize(
    "name",
    [
        "Dr Blue",
        "dr. Blue",
        "Nurse",
        "Blue (Admin)",
        "Care Team",
        "Dосtоr B",
        "DR",
        "Dr.Blue",
        "Nurse/Blue",
        "Blue_Admin",
        "T e a m",
        "S.t.a.f.f",
        "🅓🅡 Blue",
        "Do\u03f2tor Blue",
    ],
)
def test_a_title_of_staff_imitates_staff(name: str) -> None:
    assert imitates(name, [])


@pytest.mark.parametrize(
    "name", ["Bluebird", "Alex", "Kimberley Linden", "Drew", "Steamer", "🦋", "Бабочка", "蝶", "محمد"]
)
def test_other_names_imitate_nobody(name: str) -> None:
    assert not imitates(name, STAFF)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Bluebird", "bIuebird"),
        ("Blue bird", "Bluebird"),
        ("rnoon", "Moon"),
        ("🦋", "🦋"),
        ("vvave", "Wave"),
        ("O0o", "ooo"),
    ],
)
def test_look_alikes_are_the_same(one: str, other: str) -> None:
    assert same(one, other)


def test_different_names_are_different() -> None:
    names = ["Bluebird", "Redbird", "🦋", "🐝", "蝶", "鳥", "Бабочка"]
    assert len({fold(name) for name in names}) == len(names)


@pytest.mark.parametrize(
    "name",
    ["", "x" * (LONGEST + 1), "a\u200bb", "a\u202eb", "a\u2066b", "a\x00b", "a\nb", "a\u2028b", "a\u00adb", "\u3164", "a\u2800b",
     "\ue000", "\ud800", "a\ufeff", "a\u0301\u0301\u0301", "\U000e0041", "a\u034fb", "\ufe0f",
     "\ufe0e\ufe0f", "a\ufe0fb", "\ufe0fab", "\U000e0100", "a\ufe00", "\u180b", "\u0301", "\U0001d159", "\U00016fe4"],
)  # fmt: skip
def test_what_must_not_stand_in_a_name(name: str) -> None:
    assert wrong(name)


@pytest.mark.parametrize("name", ["Bluebird", "Zoë", "Nguyễn", "❤️", "B❤️", "1️⃣", "李", "O'Demo-Example", "x" * LONGEST])
def test_what_may(name: str) -> None:
    assert wrong(name) is None
