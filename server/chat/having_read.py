"""Which read marks say that somebody has read: a mark that was put where it stands when its member came says nothing."""

from typing import Final

HAS_READ: Final = """(
  t.read_offset > t.joined_offset
  or t.read_offset = t.joined_offset and t.source = 'fallback'
  or t.read_offset < t.joined_offset and not exists (
    select from memberships was
     where (was.channel_id, was.organization_id) = (t.channel_id, t.organization_id) and was.person_kind = 'team_member'
       and was.read_offset = t.read_offset and was.joined_offset = was.read_offset and was.source <> 'fallback'))"""
"""Of a membership t. Who is added has their mark at their join, so that what is older is not unread for them, and has read none
of it. Who takes over from somebody has that one's mark, before their own join: it says what it said of the one before, and so
nothing if that one had only joined."""
