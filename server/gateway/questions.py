"""Questions about a channel: its history, who is there, leave to say something, a new token. Looked up, and answered."""

import asyncio
import logging

from server.errors import Forbidden, NotFound, TokenExpired, Unauthorized, WarmlineError
from server.gateway import protocol as p
from server.gateway import recovery
from server.gateway.connection import Connection
from server.gateway.effects import Effect, Say, as_subscribe_error
from server.gateway.parts import Parts
from server.gateway.ports import Grant, Renewed

log = logging.getLogger(__name__)

_NOT_SHOWN = "Who is there is for the team only."
_NOT_SUBSCRIBED = "There is no such subscription. Subscribe first."
_NOT_YOURS = "No such channel, or not yours."


async def answer(connection: Connection, question: p.Question, parts: Parts) -> list[Effect]:
    """What the connection's client is to hear."""
    try:
        if isinstance(question, p.SubRefresh):
            return await _refreshed(connection, question, parts)
        result = await _looked_up(connection, question, parts)
    except WarmlineError as error:
        result = as_subscribe_error(error)
    except Exception:
        log.exception("a question could not be answered")
        result = p.Error(p.ErrorCode.INTERNAL, "Something went wrong here. Try again.", True)
    return [Say(p.Reply(question.id, result))]


async def _looked_up(
    connection: Connection, question: p.PublishRequest | p.History | p.Presence, parts: Parts
) -> p.Answer:
    assert connection.admission is not None
    who, name = (connection.admission.identity, connection.client), question.channel
    subscribed = connection.stands(name)
    match question:
        case p.PublishRequest():
            await parts.policy.publish(*who, name, question.data, subscribed)
            return p.PublishResult()
        case p.History():
            return await _history(question, await parts.policy.history(*who, name, subscribed), parts)
    grant = await parts.policy.presence(*who, name, subscribed)
    if grant.info is None:
        raise Forbidden(_NOT_SHOWN)
    there = await parts.presence.there(grant.key)
    if question.stats:
        return p.PresenceStatsResult(len(there), len({info.user for info in there.values()}))
    return p.PresenceResult(there)


async def _history(question: p.History, grant: Grant, parts: Parts) -> p.Answer:
    if not parts.knows(grant.epoch):
        raise Renewed
    epoch, settings = parts.hub.epoch, parts.settings
    window = recovery.window(question, grant, epoch, settings.reply_publications)
    if window is None:
        return p.Error(p.ErrorCode.UNRECOVERABLE_POSITION, "unrecoverable position")
    after, count = window
    rows = (await parts.reads.since([(grant.key, after, count)]))[0] if count else ()
    page = recovery.Portion(settings.reply_publications, settings.reply_bytes)
    for row in reversed(rows) if question.reverse else rows:
        sees = recovery.view(row, grant)
        if sees is recovery.View.CUT:
            raise NotFound(_NOT_YOURS)  # it ended between the grant and the reading
        data = parts.hub.spread.publication(row, grant.audience if sees is recovery.View.SEE else None)
        info = row.info if sees is recovery.View.SEE else None
        if not page.add(p.Publication(data, row.offset, info)):
            break
    return p.HistoryResult(tuple(page.publications), epoch, grant.top)


async def _refreshed(connection: Connection, question: p.SubRefresh, parts: Parts) -> list[Effect]:
    """A new token of a subscription: like one of the connection, but an expired one ends no more than it was for (§4)."""
    assert connection.admission is not None
    name = question.channel
    try:
        name, ttl = await parts.policy.resubscribe(connection.admission.identity, name, question.token)
    except TokenExpired:
        return [*connection.lapsed(name), Say(p.Reply(question.id, p.SubRefreshResult()))]
    except Unauthorized:
        return connection.close(p.CloseCode.INVALID_TOKEN)
    if not connection.stands(name):
        raise Forbidden(_NOT_SUBSCRIBED)
    connection.extended(name, ttl, asyncio.get_running_loop().time())
    return [Say(p.Reply(question.id, p.SubRefreshResult(ttl)))]
