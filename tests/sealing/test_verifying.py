"""Verification, fed by hand: whatever is done to a chain is found, and pointed at where it was done."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from server.sealing.chain import NOTHING, Entry, Seal, link, parsed
from server.sealing.heads import Head, is_genuine, key_id, public_key, public_text, sign
from server.sealing.verifying import Finding, Verification

ORGANIZATION = "org_00000000000000000000"
KEY = Ed25519PrivateKey.generate()
KEYS = {key_id(KEY.public_key()): KEY.public_key()}

Chain = list[tuple[Seal, Entry | None]]


def at(second: int) -> str:
    return f"2026-01-31T{12 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000000Z"


def entry(id: int, **other: Any) -> Entry:
    return {"organization_id": ORGANIZATION, "id": id, "at": at(id), "actor_id": "tm_1", "operation": "patient.read",
            "facts": {"patient_id": f"pa_{id}"}} | other  # fmt: skip


def chain(length: int, *, begin: int = 1) -> Chain:
    """A chain whose entries are numbered like their seals."""
    return sealed([entry(number) for number in range(begin, begin + length)], begin)


def sealed(entries: list[Entry], begin: int = 1) -> Chain:
    """Seal these, as the sealer does, or as somebody would who computes everything anew."""
    made: Chain = []
    previous = NOTHING
    for number, one in enumerate(entries, begin):
        previous = link(previous, number, at(number + 1), False, one)
        made.append((Seal(number, previous, at(number + 1), False), one))
    return made


def head(made: Chain, number: int, key: Ed25519PrivateKey = KEY) -> Head:
    [seal] = [seal for seal, _ in made if seal.sequence == number]
    return sign(key, ORGANIZATION, number, seal.hash, at(number + 2))


def verified(
    made: Chain, heads: list[Head] | None = None, kept: list[Head] | None = None, *, first: int = 1, mark: int = 0,
    previous: str = NOTHING, waiting: list[Entry] | None = None, trusted: bool = True, as_of: str | None = None,
) -> Verification:  # fmt: skip
    one = Verification(KEYS, kept or [], trusted=trusted)
    one.open(ORGANIZATION, first, previous, mark)
    for signed in heads or []:
        one.head(signed)
    for seal, behind in made:
        one.sealed(seal, behind)
    for behind in waiting or []:
        one.waiting(behind)
    one.close(as_of or at(3600), len(made), len(waiting or []))
    return one


def places(verification: Verification) -> list[tuple[int, str]]:
    return [(finding.sequence, finding.what) for finding in verification.findings]


def test_a_log_that_is_whole_gives_no_finding() -> None:
    made = chain(8)
    one = verified(made, [head(made, 4), head(made, 8)], [head(made, 8)])
    assert (one.findings, one.notes, one.seals, one.last) == ([], [], 8, 8)
    assert verified([]).findings == []


@given(st.integers(1, 30), st.data())
@pytest.mark.catalogue("S28")
def test_one_change_anywhere_is_pointed_at(length: int, data: st.DataObject) -> None:
    made = chain(length)
    place = data.draw(st.integers(0, length - 1))
    seal, one = made[place]
    field = data.draw(st.sampled_from(sorted(one)))
    changed: Entry = one | {field: data.draw(st.sampled_from([None, "", "other", 0, {"patient_id": "pa_0"}]))}
    made[place] = (seal, changed)
    expected = [] if changed == one else [(place + 1, "changed")]
    assert places(verified(made, [head(chain(length), length)])) == expected


@given(st.integers(2, 30), st.data())
@pytest.mark.catalogue("S28")
def test_any_tampering_is_found_at_or_before_the_first_place_it_touches(length: int, data: st.DataObject) -> None:
    """Several at once, with the seals left as they were, renumbered, or computed anew; heads kept elsewhere know better."""
    genuine = chain(length)
    entries: list[Entry] = [one for _, one in genuine]
    for _ in range(data.draw(st.integers(1, 3))):
        how = data.draw(st.sampled_from(["change", "delete", "insert", "swap", "cut"]))
        here = data.draw(st.integers(0, max(0, len(entries) - 1)))
        if how == "insert" or not entries:
            entries.insert(here, entry(1000 + here))
        elif how == "change":
            entries[here] = entries[here] | {"operation": "team_member.list"}
        elif how == "delete":
            del entries[here]
        elif how == "swap":
            other = data.draw(st.integers(0, len(entries) - 1))
            entries[here], entries[other] = entries[other], entries[here]
        else:
            del entries[max(1, here) :]
    same = [one for _, one in genuine] == entries
    by_id = {one["id"]: (seal, one) for seal, one in genuine}
    mode = data.draw(st.sampled_from(["seals moved along", "seals renumbered", "all computed anew"]))
    if mode == "all computed anew":
        made = sealed(entries)
    else:
        made = [(by_id[one["id"]][0] if one["id"] in by_id else Seal(n, "0" * 64, at(n), False), one)
                for n, one in enumerate(entries, 1)]  # fmt: skip
    if mode == "seals renumbered":
        made = [(replace(seal, sequence=number), one) for number, (seal, one) in enumerate(made, 1)]
    found = verified(made, kept=[head(genuine, number) for number in range(1, length + 1)]).findings
    assert (found == []) == same
    if not same:
        first = next((n for n, (a, b) in enumerate(zip(genuine, entries, strict=False), 1) if a[1] != b),
                     min(length, len(entries)) + 1)  # fmt: skip
        assert found[0].sequence <= first


def remove(made: Chain, *numbers: int) -> Chain:
    return [item for item in made if item[0].sequence not in numbers]


def renumbered(made: Chain) -> Chain:
    return [(replace(seal, sequence=number), one) for number, (seal, one) in enumerate(made, 1)]


STRANGE = (Seal(4, "f" * 64, at(5), False), entry(99))
DONE: dict[str, tuple[Callable[[Chain], Chain], list[tuple[int, str]]]] = {
    "an entry deleted with its seal": (lambda c: remove(c, 4), [(4, "deleted")]),
    "several deleted": (lambda c: remove(c, 4, 5, 6), [(4, "deleted")]),
    "deleted in two places": (lambda c: remove(c, 4, 7), [(4, "deleted"), (7, "deleted")]),
    "the first deleted": (lambda c: remove(c, 1), [(1, "deleted")]),
    "an entry deleted, its seal left": (lambda c: [(s, None if s.sequence == 4 else e) for s, e in c], [(4, "deleted")]),
    "deleted, and the rest renumbered": (lambda c: renumbered(remove(c, 4)), [(4, "deleted")]),
    "two deleted, and the rest renumbered": (lambda c: renumbered(remove(c, 4, 5)), [(4, "deleted")]),
    "an entry put in, and the rest renumbered": (lambda c: renumbered([*c[:3], STRANGE, *c[3:]]), [(4, "inserted")]),
    "two exchanged": (
        lambda c: [(s, {3: c[6][1], 7: c[2][1]}.get(s.sequence, e)) for s, e in c], [(3, "moved"), (7, "moved")]),
    "lines in another order": (lambda c: [*c[:3], c[4], c[3], *c[5:]], [(4, "deleted"), (4, "moved")]),
    "the same line twice": (lambda c: [*c[:4], c[3], *c[4:]], [(4, "moved")]),
    "a seal's time changed": (lambda c: [*c[:3], (replace(c[3][0], sealed_at=at(6)), c[3][1]), *c[4:]], [(4, "changed")]),
    "a seal's hash changed": (
        lambda c: [*c[:3], (replace(c[3][0], hash="0" * 64), c[3][1]), *c[4:]], [(4, "changed"), (5, "changed")]),
}  # fmt: skip


@pytest.mark.catalogue("S28")
@pytest.mark.parametrize("what", DONE)
def test_what_was_done_is_called_by_its_name(what: str) -> None:
    do, expected = DONE[what]
    genuine = chain(10)
    assert places(verified(do(list(genuine)))) == expected
    with_heads = places(verified(do(list(genuine)), [head(genuine, 2), head(genuine, 10)]))
    assert with_heads[: len(expected)] == expected or set(expected) <= set(with_heads)
    assert with_heads[0][0] == expected[0][0]


@pytest.mark.catalogue("S28")
def test_a_tail_that_was_cut_is_seen_by_a_head_kept_elsewhere() -> None:
    genuine = chain(10)
    assert places(verified(genuine[:6])) == []
    one = verified(genuine[:6], kept=[head(genuine, 3), head(genuine, 9)])
    assert places(one) == [(7, "cut")]
    assert "ends with #6" in one.findings[0].text
    assert "3 entries were cut off" in one.findings[0].text
    assert places(verified([], kept=[head(genuine, 9)])) == [(1, "cut")]


@pytest.mark.catalogue("S28")
def test_a_chain_that_was_computed_anew_is_seen_by_the_heads() -> None:
    genuine = chain(10)
    entries: list[Any] = [one for _, one in genuine]
    entries[4] = entries[4] | {"actor_id": "tm_2"}
    anew = sealed(entries)
    assert places(verified(anew)) == []
    heads = [head(genuine, 2), head(genuine, 7), head(genuine, 10)]
    assert places(verified(anew, heads)) == [(3, "written anew"), (3, "written anew")]
    assert places(verified(anew, [head(anew, 10)], [head(genuine, 10)])) == [(1, "written anew")]


@pytest.mark.catalogue("S28")
def test_an_entry_that_was_written_later_than_it_says_is_seen() -> None:
    entries = [entry(number) for number in range(1, 7)]
    entries[4]["at"] = at(0)
    entries = [one | ({"at": at(290 + one["id"])} if one["id"] < 5 else {}) for one in entries]
    previous, made = NOTHING, []
    for number, one in enumerate(entries, 1):
        moment = at(300 + number)
        previous = link(previous, number, moment, False, one)
        made.append((Seal(number, previous, moment, False), one))
    assert places(verified(made)) == [(5, "backdated"), (6, "backdated")]
    assert "written later than it says" in verified(made).findings[0].text


def test_what_waited_while_no_worker_ran_is_not_backdated() -> None:
    """The rounds of a backlog say that more was waiting; an hour without a worker is no finding."""
    previous, made = NOTHING, []
    for number in range(1, 7):
        moment, more = at(3000 + 60 * number), number < 6
        previous = link(previous, number, moment, more, entry(number))
        made.append((Seal(number, previous, moment, more), entry(number)))
    assert verified(made).findings == []


def test_what_waited_together_is_not_backdated_and_what_came_with_it_is() -> None:
    """One round seals all that has waited, each seal at the same moment: it is compared with the round before."""
    entries = [entry(1), entry(2), entry(3), entry(4), entry(5, at=at(1000)), entry(6, at=at(5100))]
    for late, backdated in ((entries, []), ([*entries[:5], entry(6)], [(6, "backdated")])):
        previous, made = NOTHING, []
        for number, one in enumerate(late, 1):
            moment = at(900) if number < 5 else at(5000 if number < 6 else 5200)
            previous = link(previous, number, moment, False, one)
            made.append((Seal(number, previous, moment, False), one))
        assert places(verified(made)) == backdated


def test_a_time_that_is_none_is_not_compared() -> None:
    entries = [entry(1), entry(2, at="infinity")]
    made = sealed(entries)
    assert verified(made).findings == []
    made[0] = (replace(made[0][0], sealed_at="long ago"), made[0][1])
    assert places(verified(made)) == [(1, "changed")]


@pytest.mark.catalogue("S28")
def test_entries_without_a_seal_are_told_apart() -> None:
    made = chain(3)
    one = verified(made, [head(made, 3)], waiting=[entry(8), entry(9)], mark=3, as_of=at(20))
    assert one.findings == []
    assert one.notes == [f"2 entries wait for their seal, the oldest since {at(8)}."]
    late = verified(made, [head(made, 3)], waiting=[entry(8)], mark=3, as_of=at(100))
    assert late.notes[-1] == "That is longer than it should take: is a worker running?"
    assert verified(made, waiting=[entry(8, at="?")], mark=3).findings == []
    assert places(verified(made, waiting=[entry(2), entry(8)], mark=3)) == [(4, "inserted")]


def test_what_was_read_and_what_is_here_are_compared() -> None:
    one = Verification(KEYS, trusted=True)
    one.open(ORGANIZATION, 1, NOTHING, 0)
    one.close(at(1), 1, 0)
    assert places(one) == [(1, "cut or added to")]


def test_a_span_is_verified_from_where_it_begins() -> None:
    made = chain(10)
    span, previous = made[4:], made[3][0].hash
    one = verified(span, [head(made, 7)], [head(made, 2), head(made, 9)], first=5, previous=previous)
    assert one.findings == []
    assert one.notes == ["#10 to #10: no signed head covers it; whoever owns the database could have written it anew."]
    assert places(verified(span, first=5, previous="0" * 64)) == [(5, "changed")]


@pytest.mark.catalogue("S28")
def test_a_span_that_ends_early_says_nothing_of_later_heads() -> None:
    made = chain(10)
    one = Verification(KEYS, [head(made, 9)], trusted=True)
    one.open(ORGANIZATION, 1, NOTHING, 0, complete=False)
    for seal, behind in made[:6]:
        one.sealed(seal, behind)
    one.close(at(20), 6, 0)
    assert one.findings == []
    assert one.notes[0] == "The head at #9 lies beyond this span and was not compared."


@pytest.mark.catalogue("S28")
def test_a_head_is_believed_only_if_it_was_signed_by_a_key_one_trusts() -> None:
    made, stranger = chain(4), Ed25519PrivateKey.generate()
    forged = replace(head(made, 4), sequence=3)
    assert places(verified(made, [forged])) == [(3, "forged head")]
    assert places(verified(made, [replace(head(made, 4), signature="!")])) == [(4, "forged head")]
    assert places(verified(made, [head(made, 4, stranger)])) == [(4, "unknown signature")]
    untold = verified(made, [head(made, 4, stranger)], trusted=False)
    assert untold.findings == []
    assert untold.notes[0].endswith("which is not at hand.")
    foreign = sign(KEY, "org_11111111111111111111", 4, made[3][0].hash, at(5))
    assert places(verified(made, [foreign])) == [(4, "foreign head")]
    assert verified(made, kept=[foreign]).findings == [], "heads of all organisations are kept in one place"


def test_a_head_of_what_is_not_there_is_told() -> None:
    made = chain(8)
    assert (5, "deleted") in places(verified(remove(made, 4, 5), [head(made, 5)]))


def test_very_many_changes_are_told_without_remembering_them_all() -> None:
    made: Chain = [(seal, entry(one["id"], operation="other")) for seal, one in chain(300)]  # type: ignore[index]
    found = verified(made)
    assert found.findings[0] == Finding(1, "changed", found.findings[0].text)
    assert len(found.findings) == 200
    assert str(found.findings[0]).startswith("#1: changed. Entry 1 (other by tm_1 at ")


def test_an_entry_has_one_text_and_no_digit_is_lost() -> None:
    one = {"a": 1, "b": {"c": [1, "é", None]}}
    two = json.loads('{"b": {"c": [1, "\\u00e9", null]}, "a": 1}')
    assert link(NOTHING, 1, at(1), False, one) == link(NOTHING, 1, at(1), False, two)
    numbers = [parsed(text) for text in ("1", "1.0", "1.00", '"1.0"', "10000000000000000000000001", "1e400")]
    assert len({link(NOTHING, 1, at(1), False, {"n": number}) for number in numbers}) == len(numbers)


def test_heads_and_keys_survive_being_written_down() -> None:
    made = head(chain(3), 3)
    again = Head.read(json.loads(made.line()))
    assert again == made
    assert is_genuine(again, public_key(f" {public_text(KEY.public_key())}\n"))
    for wrong in ({}, {"sequence": "1"}, json.loads(made.line()) | {"hash": 1}):
        with pytest.raises(ValueError, match="not a head"):
            Head.read(wrong)
    for text in ("", "AAAA", "no key", "é"):
        with pytest.raises(ValueError, match="32 bytes in base64"):
            public_key(text)
