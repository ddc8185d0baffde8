-- Warmline's schema: the rules of the product as tables, constraints and three functions. Read it top to bottom.
--
-- Conventions. Every row belongs to one organisation and every reference carries it: (organization_id, id), so that
-- nothing can point across. Ids are typed: a prefix, then 20 random characters; none tells when it was made. A channel's
-- rows are keyed by channel first, so that partitioning by channel stays possible. Nothing is ever deleted: people and
-- channels are archived, memberships end, messages are hidden; the application role has no DELETE at all.
-- Keys lead with their most telling column, so that each look-up of the hot path has one index that fits and no other that
-- fits by a prefix: the planner then cannot choose badly while a table is young and has no statistics.
-- An event's place in its channel's log is called offset everywhere; the column is log_offset because SQL has taken the word.

do $$ begin
  create role warmline_app nologin;
exception when duplicate_object or unique_violation then null;   -- roles are shared by every database of the server
end $$;

-- ---------------------------------------------------------------------------------------------------------------------
-- Organisations: the tenants, their roles, and the keys that what they write is encrypted with
-- ---------------------------------------------------------------------------------------------------------------------

create table organizations (
  id         text primary key check (id ~ '^org_[0-9a-z]{20}$'),
  name       text not null check (name <> ''),
  created_at timestamptz not null default now()
);
comment on table organizations is 'The tenant. Nothing crosses from one to another.';

create table roles (
  organization_id text not null references organizations,
  name            text not null check (name ~ '^[A-Z_]{1,40}$'),
  permissions     text[] not null,
  primary key (organization_id, name)
);
comment on table roles is 'What a role may do, as data per organisation; the vocabulary is server/people/permissions.py.';

create table organization_keys (
  organization_id text not null references organizations,
  id              text not null check (id ~ '^key_[0-9a-z]{20}$'),
  wrapped         bytea not null,
  created_at      timestamptz not null default now(),
  retired_at      timestamptz,
  primary key (organization_id, id)
);
comment on table organization_keys is 'Data keys, wrapped by the master key that never enters the database. A retired key still opens what it closed.';
create unique index organization_keys_one_current on organization_keys (organization_id) where retired_at is null;

-- ---------------------------------------------------------------------------------------------------------------------
-- People: who can sign in
-- ---------------------------------------------------------------------------------------------------------------------

create table people (
  organization_id text not null references organizations,
  id              text not null,
  kind            text not null,
  email           text not null check (email <> ''),
  status          text not null default 'active' check (status in ('active', 'archived')),
  created_at      timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, id, kind),
  constraint people_typed_id check (
    (kind = 'patient' and id ~ '^pa_[0-9a-z]{20}$') or (kind = 'team_member' and id ~ '^tm_[0-9a-z]{20}$'))
);
comment on table people is 'Patients and team members: what both have.';
create unique index people_one_email on people (lower(email), organization_id);

create table patient_groups (
  organization_id text not null references organizations,
  id              text not null check (id ~ '^pg_[0-9a-z]{20}$'),
  name            text not null check (name <> ''),
  is_default      boolean not null default false,
  primary key (organization_id, id)
);
comment on table patient_groups is 'Cohorts that configure what their patients see in the app; nothing to do with therapy groups.';
create unique index patient_groups_one_default on patient_groups (organization_id) where is_default;
create unique index patient_groups_one_name on patient_groups (organization_id, lower(name));

create table team_members (
  organization_id   text not null,
  id                text not null,
  kind              text not null default 'team_member' check (kind = 'team_member'),
  name              text not null check (name <> ''),
  role              text not null,
  extra_permissions text[] not null default '{}',
  primary key (organization_id, id),
  foreign key (organization_id, id, kind) references people (organization_id, id, kind),
  foreign key (organization_id, role) references roles (organization_id, name)
);
comment on table team_members is 'Staff: a name, a role, and permissions of their own beside the role''s.';

create table patients (
  organization_id         text not null,
  id                      text not null,
  kind                    text not null default 'patient' check (kind = 'patient'),
  legal_name              text not null check (legal_name <> ''),
  preferred_name          text check (preferred_name <> ''),
  display_name            text check (display_name <> ''),
  allocation_clinician_id text not null,
  patient_group_id        text not null,
  primary key (organization_id, id),
  foreign key (organization_id, id, kind) references people (organization_id, id, kind),
  foreign key (organization_id, allocation_clinician_id) references team_members (organization_id, id),
  foreign key (organization_id, patient_group_id) references patient_groups (organization_id, id)
);
comment on table patients is 'Patients. Legal and preferred name are for staff alone; other patients get the display name and nothing else.';
create index patients_by_allocation_clinician on patients (organization_id, allocation_clinician_id);

-- ---------------------------------------------------------------------------------------------------------------------
-- Channels and who is in them: membership is access
-- ---------------------------------------------------------------------------------------------------------------------

create table channels (
  organization_id text not null references organizations,
  id              text not null check (id ~ '^ch_[0-9a-z]{20}$'),
  kind            text not null check (kind in ('care_team', 'service_team', 'staff', 'group', 'direct')),
  patient_id      text,
  name            text check (name <> ''),
  founding_set    text,
  status          text not null default 'active' check (status in ('active', 'archived')),
  top_offset      bigint not null default 0 check (top_offset >= 0),
  created_at      timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, id, kind),
  unique (organization_id, id, patient_id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  constraint channels_tied_to_a_patient check ((kind in ('care_team', 'service_team', 'staff')) = (patient_id is not null)),
  constraint channels_named check ((kind in ('staff', 'group')) = (name is not null)),
  constraint channels_founded check ((kind = 'direct') = (founding_set is not null)),
  constraint channels_direct_stays_open check (kind <> 'direct' or status = 'active')
);
comment on table channels is 'A conversation of one of five kinds. Its row is the head of its log: top_offset, moved only by append_batch().';
comment on column channels.founding_set is 'Direct channels: a digest of the sorted ids of the people it was opened for, so that the same set always opens the same channel.';
create unique index channels_one_care_and_one_service_team on channels (organization_id, patient_id, kind) where kind in ('care_team', 'service_team');
create unique index channels_one_direct_per_founding_set on channels (organization_id, founding_set) where kind = 'direct';

create table memberships (
  organization_id text not null,
  id              text not null check (id ~ '^mb_[0-9a-z]{20}$'),
  channel_id      text not null,
  channel_kind    text not null,
  person_id       text not null,
  person_kind     text not null,
  source          text not null check (source in ('rule', 'manual', 'fallback', 'roster')),
  visible_from    bigint not null check (visible_from >= 1),
  read_offset     bigint not null check (read_offset >= visible_from - 1),
  marked_unread   boolean not null default false,
  muted           boolean not null default false,
  joined_offset   bigint not null check (joined_offset >= 1),
  joined_at       timestamptz not null,
  left_offset     bigint check (left_offset > joined_offset),
  left_at         timestamptz,
  own_patient_id  text generated always as (
    case when person_kind = 'patient' and channel_kind in ('care_team', 'service_team') then person_id end) stored,
  primary key (id, channel_id, organization_id),
  unique (id, person_id, channel_id, organization_id),
  foreign key (organization_id, channel_id, channel_kind) references channels (organization_id, id, kind),
  foreign key (organization_id, person_id, person_kind) references people (organization_id, id, kind),
  constraint memberships_only_the_channels_own_patient
    foreign key (organization_id, channel_id, own_patient_id) references channels (organization_id, id, patient_id),
  constraint memberships_no_patient_among_staff check (person_kind = 'team_member' or channel_kind in ('care_team', 'service_team', 'group')),
  constraint memberships_patient_of_care_and_service_stays check (
    left_at is null or person_kind = 'team_member' or channel_kind = 'group'),
  constraint memberships_end_once check ((left_at is null) = (left_offset is null))
);
comment on table memberships is 'A person''s place in a channel, under an id that exists in this channel alone: all that other patients learn of who wrote. Leaving ends it; coming back starts a new one.';
comment on column memberships.visible_from is 'The floor: the first offset this member sees (1 = all).';
comment on column memberships.read_offset is 'The read mark; only moves forward.';
create unique index memberships_once_at_a_time on memberships (person_id, channel_id, organization_id) where left_at is null;
create index memberships_of_a_channel on memberships (channel_id, organization_id);
create index memberships_lately_joined on memberships (joined_at);

-- ---------------------------------------------------------------------------------------------------------------------
-- Messages and the log
-- ---------------------------------------------------------------------------------------------------------------------

create table messages (
  organization_id  text not null,
  channel_id       text not null,
  id               text not null check (id ~ '^msg_[0-9a-z]{20}$'),
  log_offset       bigint not null check (log_offset >= 1),
  author_id        text not null,
  author_person_id text not null,
  client_id        text not null check (client_id ~ '^[ -~]{1,64}$'),
  reply_to         text,
  revision         integer not null default 1 check (revision >= 1),
  created_at       timestamptz not null,
  deleted_at       timestamptz,
  primary key (id, channel_id, organization_id),
  foreign key (organization_id, channel_id, author_id, author_person_id)
    references memberships (organization_id, channel_id, id, person_id),
  foreign key (organization_id, channel_id, reply_to) references messages (organization_id, channel_id, id)
);
comment on table messages is 'What people write. The id is random and minted before the message is written; the offset is its place in the log. The words are in message_revisions.';
create unique index messages_one_per_client_id on messages (client_id, author_person_id, channel_id, organization_id);
create index messages_that_count on messages (channel_id, log_offset, organization_id) where deleted_at is null;

create table message_revisions (
  organization_id  text not null,
  channel_id       text not null,
  message_id       text not null,
  revision         integer not null check (revision >= 1),
  author_person_id text not null,
  key_id           text not null,
  ciphertext       bytea not null,
  created_at       timestamptz not null,
  primary key (message_id, revision, channel_id, organization_id),
  foreign key (organization_id, channel_id, message_id) references messages (organization_id, channel_id, id),
  foreign key (organization_id, author_person_id) references people (organization_id, id),
  foreign key (organization_id, key_id) references organization_keys (organization_id, id)
);
comment on table message_revisions is 'Every wording a message has had, encrypted; messages.revision names the current one.';

create table events (
  organization_id text not null,
  channel_id      text not null,
  log_offset      bigint not null check (log_offset >= 1),
  kind            text not null check (kind in ('opened', 'joined', 'left', 'archived', 'unarchived', 'message', 'revised')),
  audience        text not null default 'all' check (audience in ('all', 'staff')),
  message_id      text,
  target_offset   bigint check (target_offset < log_offset),
  facts           jsonb,
  created_at      timestamptz not null,
  primary key (organization_id, channel_id, log_offset),
  foreign key (organization_id, channel_id) references channels (organization_id, id),
  foreign key (organization_id, channel_id, message_id) references messages (organization_id, channel_id, id),
  constraint events_of_a_message check ((kind in ('message', 'revised')) = (message_id is not null)),
  constraint events_change_what_came_before check ((kind = 'revised') = (target_offset is not null))
);
comment on table events is 'The channel log, append-only: offsets 1, 2, 3 … without a hole, in one order for everybody. An event says what changed and where, never the words.';
comment on column events.facts is 'Membership ids only: opens and ends (which memberships start and end here), by (whose act it was).';
create index events_written_lately on events (created_at);

create table log_generation (
  one_row    boolean primary key default true check (one_row),
  generation integer not null default 1
);
comment on table log_generation is 'Part of the epoch that an operator can move by hand, after a restore that left the timeline as it was.';
insert into log_generation default values;

create function log_epoch() returns text language sql stable
  return (
    select left(encode(sha256(convert_to(concat_ws('/',
        (select system_identifier from pg_control_system()),
        (select oid from pg_database where datname = current_database()),
        left(pg_walfile_name(pg_current_wal_lsn()), 8),
        (select generation from log_generation)), 'UTF8')), 'hex'), 16));
comment on function log_epoch is 'The identity of this incarnation of all logs: derived, so that a promotion or a point-in-time restore changes it by itself.';

-- ---------------------------------------------------------------------------------------------------------------------
-- append_batch(): the only writer of offsets
-- ---------------------------------------------------------------------------------------------------------------------

create function append_batch(
  organization_ids text[], channel_ids text[], kinds text[], person_ids text[], message_ids text[], client_ids text[],
  reply_tos text[], key_ids text[], ciphertexts bytea[], audiences text[], target_offsets bigint[], all_facts jsonb[])
returns table (
  item bigint, outcome text, log_offset bigint, created_at timestamptz, message_id text,
  author_id text, reply_to text, root_offset bigint, key_id text, ciphertext bytea)
language plpgsql as $$
#variable_conflict use_column
declare
  locked  text[];
  written timestamptz;
begin
  -- First the locks, in id order. A channel that someone else holds is left out, not waited for: its items answer
  -- 'busy' and come again. A caller that holds its channels already (append(tx) in server/chat/append.py) gets them here.
  select coalesce(array_agg(l.organization_id || l.id), '{}') into locked
    from (select c.organization_id, c.id from channels c
           where (c.organization_id, c.id) in (select * from unnest(organization_ids, channel_ids))
           order by c.id for no key update skip locked) l;
  written := clock_timestamp();

  -- Only now, in a statement with a snapshot younger than the locks, look at who may do what, and write. The order of
  -- the cases is the rule: a message already written is answered before anything else is asked (domain.md §3). The
  -- same rules as policy.can_post; one table of cases runs through both (tests/chat/test_policy.py).
  return query
  with items as materialized (
    select * from unnest(organization_ids, channel_ids, kinds, person_ids, message_ids, client_ids, reply_tos, key_ids,
                         ciphertexts, audiences, target_offsets, all_facts) with ordinality
      as i (organization_id, channel_id, kind, person_id, message_id, client_id, reply_to, key_id,
            ciphertext, audience, target_offset, facts, item)
  ), judged as materialized (
    select i.*, c.top_offset, m.id as author_id, root.log_offset as root_offset,
           seen.id as seen_id, seen.log_offset as seen_offset, seen.created_at as seen_at, seen.author_id as seen_author_id,
           seen.reply_to as seen_reply_to, first.key_id as seen_key_id, first.ciphertext as seen_ciphertext,
      case
        when seen.id is not null then 'seen'
        when c.id is null then 'not_found'
        when not (i.organization_id || i.channel_id = any (locked)) then 'busy'
        when i.kind <> 'message' then 'ok'
        when m.id is null then 'not_found'
        when p.status <> 'active' then 'person_archived'
        when c.status <> 'active' then 'channel_archived'
        when c.kind = 'direct' and not exists (
          select from memberships o join people op on (op.organization_id, op.id) = (o.organization_id, o.person_id)
           where (o.organization_id, o.channel_id) = (c.organization_id, c.id)
             and o.left_at is null and o.person_id <> i.person_id and op.status = 'active') then 'nobody_left'
        when i.reply_to is not null and (root.id is null or root.reply_to is not null or root.log_offset < m.visible_from)
          then 'root_not_found'
        when row_number() over (partition by i.organization_id, i.channel_id, i.person_id, i.client_id order by i.item) > 1
          then 'busy'   -- the same send twice in one batch: the second comes again, and is then seen
        else 'ok'
      end as outcome
      from items i   -- each look-up is lateral with a limit: by its key, item by item, whatever the planner believes
      left join lateral (select * from channels h where (h.organization_id, h.id) = (i.organization_id, i.channel_id) limit 1) c on true
      left join lateral (select * from messages s where i.kind = 'message'
        and (s.client_id, s.author_person_id, s.channel_id, s.organization_id) = (i.client_id, i.person_id, i.channel_id, i.organization_id)
        limit 1) seen on true
      left join lateral (select * from message_revisions r
        where (r.message_id, r.revision, r.channel_id, r.organization_id) = (seen.id, 1, seen.channel_id, seen.organization_id)
        limit 1) first on true
      left join lateral (select * from memberships n where i.kind = 'message' and n.left_at is null
        and (n.person_id, n.channel_id, n.organization_id) = (i.person_id, i.channel_id, i.organization_id) limit 1) m on true
      left join lateral (select * from people q where (q.organization_id, q.id) = (m.organization_id, m.person_id) limit 1) p on true
      left join lateral (select * from messages o where i.reply_to is not null
        and (o.id, o.channel_id, o.organization_id) = (i.reply_to, i.channel_id, i.organization_id) limit 1) root on true
  ), numbered as materialized (
    select j.*, case when j.outcome = 'ok' then j.top_offset + count(*) filter (where j.outcome = 'ok')
                  over (partition by j.organization_id, j.channel_id order by j.item) end as new_offset
      from judged j
  ), new_messages as (
    insert into messages (organization_id, channel_id, id, log_offset, author_id, author_person_id, client_id, reply_to, created_at)
    select n.organization_id, n.channel_id, n.message_id, n.new_offset, n.author_id, n.person_id, n.client_id, n.reply_to, written
      from numbered n where n.outcome = 'ok' and n.kind = 'message'
  ), new_revisions as (
    insert into message_revisions (organization_id, channel_id, message_id, revision, author_person_id, key_id, ciphertext, created_at)
    select n.organization_id, n.channel_id, n.message_id, 1, n.person_id, n.key_id, n.ciphertext, written
      from numbered n where n.outcome = 'ok' and n.kind = 'message'
  ), new_events as (
    insert into events (organization_id, channel_id, log_offset, kind, audience, message_id, target_offset, facts, created_at)
    select n.organization_id, n.channel_id, n.new_offset, n.kind, n.audience, n.message_id, n.target_offset, n.facts, written
      from numbered n where n.outcome = 'ok'
  ), new_tops as (
    update channels c set top_offset = t.top_offset
      from (select n.organization_id, n.channel_id, max(n.new_offset) as top_offset
              from numbered n where n.outcome = 'ok' group by 1, 2) t
     where (c.organization_id, c.id) = (t.organization_id, t.channel_id)
  )
  select n.item, n.outcome, coalesce(n.seen_offset, n.new_offset), coalesce(n.seen_at, written), coalesce(n.seen_id, n.message_id),
         coalesce(n.seen_author_id, n.author_id), case when n.seen_id is null then n.reply_to else n.seen_reply_to end,
         n.root_offset, n.seen_key_id, n.seen_ciphertext
    from numbered n;
end $$;
comment on function append_batch is 'Locks the channels, judges each item, writes what is accepted and says what became of each; one bad item never fails its batch. Called by the batcher and by append(tx) alone.';

-- ---------------------------------------------------------------------------------------------------------------------
-- A channel with an active patient in it has an active team member, always (domain.md §2, participation rules)
-- ---------------------------------------------------------------------------------------------------------------------

create function require_staff(organization text, channel text) returns void language plpgsql as $$
begin
  -- The lock comes before the count, so that of two who leave at once the second sees that the first has gone. That
  -- holds because each statement here has a fresh snapshot, which only READ COMMITTED gives.
  if current_setting('transaction_isolation') <> 'read committed' then
    raise exception 'memberships and statuses are changed at READ COMMITTED only' using errcode = 'feature_not_supported';
  end if;
  perform from channels c where (c.organization_id, c.id) = (organization, channel) for no key update;
  if exists (select from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
              where (m.organization_id, m.channel_id) = (organization, channel)
                and m.left_at is null and m.person_kind = 'patient' and p.status = 'active')
     and not exists (select from memberships m join people p on (p.organization_id, p.id) = (m.organization_id, m.person_id)
              where (m.organization_id, m.channel_id) = (organization, channel)
                and m.left_at is null and m.person_kind = 'team_member' and p.status = 'active') then
    raise exception 'channel % has an active patient and no active team member', channel
      using errcode = 'check_violation', constraint = 'patient_channel_has_staff';
  end if;
end $$;

create function require_staff_after_membership() returns trigger language plpgsql as $$
begin
  -- Whoever comes in is locked against a change of status meanwhile: an archiving that did not see this membership
  -- must be seen by it.
  if new.left_at is null then
    perform from people p where (p.organization_id, p.id) = (new.organization_id, new.person_id) for share;
  end if;
  if tg_op = 'UPDATE' and old.channel_id <> new.channel_id then
    perform require_staff(old.organization_id, old.channel_id);
  end if;
  perform require_staff(new.organization_id, new.channel_id);
  return null;
end $$;

create function require_staff_after_status() returns trigger language plpgsql as $$
begin
  perform require_staff(m.organization_id, m.channel_id)
     from (select organization_id, channel_id from memberships
            where (organization_id, person_id) = (new.organization_id, new.id) and left_at is null
            order by channel_id) m;
  return null;
end $$;

create function require_staff_after_channel() returns trigger language plpgsql as $$
begin
  perform require_staff(new.organization_id, new.id);
  return null;
end $$;

create constraint trigger patient_channel_has_staff after insert or update of left_at, person_id, channel_id on memberships
  deferrable initially deferred for each row execute function require_staff_after_membership();
create constraint trigger patient_channel_has_staff after update of status on people
  deferrable initially deferred for each row when (old.status <> new.status) execute function require_staff_after_status();
create constraint trigger patient_channel_has_staff after update of status on channels
  deferrable initially deferred for each row when (old.status <> new.status) execute function require_staff_after_channel();

-- ---------------------------------------------------------------------------------------------------------------------
-- The access log: who did what, when, on whose record
-- ---------------------------------------------------------------------------------------------------------------------

create table audit_entries (
  organization_id text not null references organizations,
  id              bigint generated always as identity,
  at              timestamptz not null default clock_timestamp(),
  actor_id        text,
  operation       text not null,
  patient_id      text,
  channel_id      text,
  facts           jsonb not null default '{}',
  request_id      text not null,
  primary key (organization_id, id),
  foreign key (organization_id, actor_id) references people (organization_id, id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, channel_id) references channels (organization_id, id)
);
comment on table audit_entries is 'Inserted in the transaction of the access it records, by a role that can do nothing else here. A send is not in it: its event is its record.';

-- ---------------------------------------------------------------------------------------------------------------------
-- What the application may do. The owner of these tables does the rest: schema, keys'' removal, reading the access log.
-- ---------------------------------------------------------------------------------------------------------------------

create table schema_state (
  one_row     boolean primary key default true check (one_row),
  fingerprint text not null
);
comment on table schema_state is 'What `warmline schema apply` made, so that `warmline schema check` sees any difference.';

grant usage on schema public to warmline_app;
grant select, insert, update on organizations, roles, organization_keys, people, patient_groups, team_members, patients,
  channels, memberships, messages to warmline_app;
grant select, insert on message_revisions, events to warmline_app;
grant select on log_generation, schema_state to warmline_app;
grant insert on audit_entries to warmline_app;
