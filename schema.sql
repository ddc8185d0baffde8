-- Warmline's schema: the rules of the product as tables, constraints and three functions. Read it top to bottom.
--
-- Conventions. Every row belongs to one organisation and every reference carries it: (organization_id, id), so that
-- nothing can point across. Ids are typed: a prefix, then 20 random characters; none tells when it was made. A channel's
-- rows are keyed by channel first, so that partitioning by channel stays possible. Nothing is ever deleted: people and
-- channels are archived, memberships end, messages are hidden; the application role has no DELETE at all.
-- Keys lead with their most telling column, so that each look-up of the hot path has one index that fits and no other that
-- fits by a prefix: the planner then cannot choose badly while a table is young and has no statistics.
-- An event's place in its channel's log is called offset everywhere; the column is log_offset because SQL has taken the word.

-- Three roles: warmline_app is what gateways and workers act as; warmline_sealer chains the access log (workers alone);
-- warmline_auditor reads it. Nobody but an operator gives them to a login. Roles are shared by every database of the server.
do $$
declare
  wanted text;
begin
  foreach wanted in array array['warmline_app', 'warmline_sealer', 'warmline_auditor'] loop
    begin
      execute format('create role %I nologin', wanted);
    exception when duplicate_object or unique_violation then null;
    end;
  end loop;
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
  signed_out_at   timestamptz,
  primary key (organization_id, id),
  unique (organization_id, id, kind),
  constraint people_typed_id check (
    (kind = 'patient' and id ~ '^pa_[0-9a-z]{20}$') or (kind = 'team_member' and id ~ '^tm_[0-9a-z]{20}$'))
);
comment on table people is 'Patients and team members: what both have.';
comment on column people.signed_out_at is 'Sign-ins that began before are over, everywhere: their tokens are refused and their connections closed.';
create index people_lately_signed_out on people (signed_out_at) where signed_out_at is not null;
create unique index people_one_email on people (lower(email), organization_id);

create table identities (
  organization_id text not null,
  person_id       text not null,
  issuer          text not null check (issuer <> ''),
  subject         text not null check (length(subject) between 1 and 255),
  linked_at       timestamptz not null default now(),
  unlinked_at     timestamptz,
  primary key (subject, issuer, person_id, organization_id),
  foreign key (organization_id, person_id) references people (organization_id, id)
);
comment on table identities is 'Under which subject of which sign-in provider somebody signs in. In one organisation a subject is one person; unlinking keeps the row, so that nobody is linked again by an email address.';
create unique index identities_one_person on identities (subject, issuer, organization_id) where unlinked_at is null;
create index identities_of_a_person on identities (person_id, organization_id);

create table patient_groups (
  organization_id text not null references organizations,
  id              text not null check (id ~ '^pg_[0-9a-z]{20}$'),
  name            text not null check (name <> ''),
  is_default      boolean not null default false,
  crisis_services text not null default '',
  primary key (organization_id, id)
);
comment on table patient_groups is 'Cohorts that configure what their patients see in the app; nothing to do with therapy groups.';
comment on column patient_groups.crisis_services is 'Other ways to help, told to patients where their channel is closed.';
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

create table pictures (
  organization_id text not null,
  id              text not null check (id ~ '^pic_[0-9a-z]{20}$'),
  person_id       text not null,
  key_id          text not null,
  large           bytea not null,
  small           bytea not null,
  created_at      timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, id, person_id),
  foreign key (organization_id, person_id) references people (organization_id, id),
  foreign key (organization_id, key_id) references organization_keys (organization_id, id)
);
comment on table pictures is 'Pictures that people show of themselves, made anew from what they gave and encrypted, in two sizes. The id reaches nobody.';

create table patients (
  organization_id         text not null,
  id                      text not null,
  kind                    text not null default 'patient' check (kind = 'patient'),
  legal_name              text not null check (legal_name <> ''),
  preferred_name          text check (preferred_name <> ''),
  display_name            text check (display_name <> ''),
  allocation_clinician_id text not null,
  patient_group_id        text not null,
  picture_id              text,
  primary key (organization_id, id),
  foreign key (organization_id, id, kind) references people (organization_id, id, kind),
  foreign key (organization_id, allocation_clinician_id) references team_members (organization_id, id),
  foreign key (organization_id, patient_group_id) references patient_groups (organization_id, id),
  foreign key (organization_id, picture_id, id) references pictures (organization_id, id, person_id)
);
comment on table patients is 'Patients. Legal and preferred name are for staff alone; other patients get the display name and nothing else.';
create index patients_by_allocation_clinician on patients (organization_id, allocation_clinician_id);

create table patient_group_team (
  organization_id  text not null,
  patient_group_id text not null,
  team_member_id   text not null,
  is_listed        boolean not null default true,
  primary key (organization_id, patient_group_id, team_member_id),
  foreign key (organization_id, patient_group_id) references patient_groups (organization_id, id),
  foreign key (organization_id, team_member_id) references team_members (organization_id, id)
);
comment on table patient_group_team is 'A patient group''s team members: a link of the chain that keeps its patients'' channels staffed. Who is taken off the list is kept, unlisted.';

create table organization_settings (
  organization_id text primary key references organizations,
  contact_text    text not null default '',
  safety_net_id   text,
  unread_email_minutes integer not null default 5 check (unread_email_minutes between 1 and 1440),
  unattended_hours integer not null default 24 check (unattended_hours between 1 and 168),
  named_in_email  boolean not null default false,
  foreign key (organization_id, safety_net_id) references team_members (organization_id, id)
);
comment on table organization_settings is 'How patients reach the team where a channel is closed, who is added to a channel when nobody else is left (the safety net), and when and how people who are away are told.';
comment on column organization_settings.named_in_email is 'Whether emails name the organisation; by default they name nobody.';

create table archivings (
  organization_id   text not null,
  id                text not null check (id ~ '^arc_[0-9a-z]{20}$'),
  person_id         text not null,
  successor_id      text check (successor_id <> person_id),
  requested_by      text,
  requested_at      timestamptz not null default now(),
  preview           text not null,
  status            text not null default 'pending' check (status in ('pending', 'done', 'refused')),
  why               text check (why <> ''),
  settled_at        timestamptz,
  signed_out_before timestamptz,
  primary key (organization_id, id),
  foreign key (organization_id, person_id) references team_members (organization_id, id),
  foreign key (organization_id, successor_id) references team_members (organization_id, id),
  foreign key (organization_id, requested_by) references people (organization_id, id),
  constraint archivings_refused_with_why check ((status = 'refused') = (why is not null)),
  constraint archivings_settled check ((status = 'pending') = (settled_at is null))
);
comment on table archivings is 'Requests to archive a team member, carried out by a worker. Whoever has a pending one is signed out and can be added nowhere, and still counts as staff.';
comment on column archivings.preview is 'A digest of what the request is to change; where it would change anything else by then, it is refused.';
comment on column archivings.signed_out_before is 'What people.signed_out_at was: a refusal lifts the sign-out of the request, and no other.';
create unique index archivings_one_pending on archivings (person_id, organization_id) where status = 'pending';
create index archivings_of_a_person on archivings (organization_id, person_id);

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
  facilitator_id  text,
  status          text not null default 'active' check (status in ('active', 'archived')),
  top_offset      bigint not null default 0 check (top_offset >= 0),
  created_at      timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, id, kind),
  unique (organization_id, id, patient_id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, facilitator_id) references team_members (organization_id, id),
  constraint channels_facilitated check (facilitator_id is null or kind = 'group'),
  constraint channels_tied_to_a_patient check ((kind in ('care_team', 'service_team', 'staff')) = (patient_id is not null)),
  constraint channels_named check ((kind in ('staff', 'group')) = (name is not null)),
  constraint channels_founded check ((kind = 'direct') = (founding_set is not null)),
  constraint channels_direct_stays_open check (kind <> 'direct' or status = 'active')
);
comment on table channels is 'A conversation of one of five kinds. Its row is the head of its log: top_offset, moved only by append_batch().';
comment on column channels.founding_set is 'Direct channels: a digest of the sorted ids of the people it was opened for, so that the same set always opens the same channel.';
create index channels_by_facilitator on channels (organization_id, facilitator_id) where facilitator_id is not null;
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
  hidden_offset   bigint check (hidden_offset >= 0),
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
comment on column memberships.hidden_offset is 'Direct channels: hidden from this member''s list until the log goes on beyond this offset.';
create unique index memberships_once_at_a_time on memberships (person_id, channel_id, organization_id) where left_at is null;
create index memberships_of_a_channel on memberships (channel_id, organization_id, person_id, id);
create index memberships_lately_joined on memberships (joined_at);

create table activation_rules (
  organization_id               text not null references organizations,
  kind                          text not null check (kind in ('care_team', 'service_team')),
  automatic                     boolean not null default false,
  include_allocation_clinician  boolean not null default false,
  primary key (organization_id, kind)
);
comment on table activation_rules is 'Whether a patient''s care-team and service-team channel is made when the patient is, and whether the allocation clinician is in it; no row is the same as off.';

create table activation_nominees (
  organization_id text not null,
  kind            text not null,
  team_member_id  text not null,
  is_nominated    boolean not null default true,
  primary key (organization_id, kind, team_member_id),
  foreign key (organization_id, kind) references activation_rules (organization_id, kind),
  foreign key (organization_id, team_member_id) references team_members (organization_id, id)
);
comment on table activation_nominees is 'The team members that a rule adds. Who is taken off the rule is kept, as not nominated.';

create table channel_profiles (
  organization_id text not null,
  channel_id      text not null,
  person_id       text not null,
  display_name    text check (display_name <> ''),
  picture         text not null default 'default' check (picture in ('default', 'own', 'none')),
  picture_id      text,
  primary key (person_id, channel_id, organization_id),
  foreign key (organization_id, channel_id) references channels (organization_id, id),
  foreign key (organization_id, person_id) references patients (organization_id, id),
  foreign key (organization_id, picture_id, person_id) references pictures (organization_id, id, person_id),
  constraint channel_profiles_own_picture check ((picture = 'own') = (picture_id is not null))
);
comment on table channel_profiles is 'How a patient is shown in one channel, where that differs from their profile: so that who wishes cannot be recognised from one group in another.';

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
  client_id        text not null check (client_id ~ '^[ -~]+$' and length(client_id) <= 64),   -- a pattern that counts takes a twelfth of a send
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
  deletes          boolean not null default false,
  reason           bytea,
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
  kind            text not null check (kind in ('opened', 'joined', 'left', 'archived', 'unarchived', 'renamed', 'asked', 'message', 'revised')),
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
comment on column events.facts is 'Ids only: opens and ends (which memberships start and end here), by (whose act it was), replaces (whose place they take over); person: a team member who acts without a membership, told to staff alone.';
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
  if tg_op = 'INSERT' and exists (select from archivings a
      where (a.person_id, a.organization_id) = (new.person_id, new.organization_id) and a.status = 'pending') then
    raise exception 'person % is being archived and joins nothing', new.person_id
      using errcode = 'check_violation', constraint = 'pending_people_join_nothing';
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
-- The roster: groups, who is in them, their encounters, notes and form submissions (domain.md §5)
-- ---------------------------------------------------------------------------------------------------------------------

create table groups (
  organization_id  text not null references organizations,
  id               text not null check (id ~ '^grp_[0-9a-z]{20}$'),
  name             text not null check (name <> ''),
  description      text not null default '',
  type             text not null check (type in ('therapy', 'support', 'education')),
  status           text not null default 'active' check (status in ('active', 'archived')),
  max_participants integer check (max_participants >= 1),
  facilitator_id   text,
  custom_data      jsonb not null default '{}' check (jsonb_typeof(custom_data) = 'object'),
  created_by_user  text not null,
  created_at       timestamptz not null default now(),
  channel_follows  boolean not null default false,
  channel_id       text,
  channel_kind     text generated always as (case when channel_id is not null then 'group' end) stored,
  channel_status   text check (channel_status in ('active', 'archived')),
  primary key (organization_id, id),
  foreign key (organization_id, facilitator_id) references team_members (organization_id, id),
  foreign key (organization_id, created_by_user) references team_members (organization_id, id),
  foreign key (organization_id, channel_id, channel_kind) references channels (organization_id, id, kind),
  constraint groups_channel_followed check ((channel_id is null) = (channel_status is null))
);
comment on table groups is 'Therapy, support and education groups: the roster''s, nothing to do with patient groups. Archiving is a soft delete.';
comment on column groups.channel_follows is 'A group channel is to follow the roster (opt-in); a worker makes it, and keeps it so.';
comment on column groups.channel_status is 'The status that was last carried over to the channel: what is archived there by hand stays so until the group''s own changes.';
create index ix_groups_org_status on groups (organization_id, status);
create index groups_by_facilitator on groups (organization_id, facilitator_id) where facilitator_id is not null;
create unique index groups_one_channel on groups (channel_id, organization_id) where channel_id is not null;

create table guests (
  organization_id text not null references organizations,
  id              text not null check (id ~ '^gst_[0-9a-z]{20}$'),
  display_name    text not null check (display_name <> ''),
  contact         jsonb not null default '{}' check (jsonb_typeof(contact) = 'object'),
  notes           bytea,
  key_id          text,
  is_active       boolean not null default true,
  patient_id      text,
  created_by_user text not null,
  created_at      timestamptz not null default now(),
  primary key (organization_id, id),
  foreign key (organization_id, key_id) references organization_keys (organization_id, id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, created_by_user) references team_members (organization_id, id),
  constraint guests_notes_closed check ((notes is null) = (key_id is null)),
  constraint guests_linked_are_over check (patient_id is null or not is_active)
);
comment on table guests is 'People in groups who are no patients: they sign in nowhere and are in no channel. Their notes are encrypted.';
comment on column guests.patient_id is 'The patient that they have become since; what was written about the guest stays, and belongs to that patient''s history.';
create index guests_of_a_patient on guests (patient_id, organization_id) where patient_id is not null;

create table group_members (
  organization_id   text not null,
  id                text not null check (id ~ '^gm_[0-9a-z]{20}$'),
  group_id          text not null,
  member_type       text not null check (member_type in ('patient', 'guest')),
  patient_id        text,
  guest_id          text,
  joined_at         timestamptz not null default now(),
  left_at           timestamptz check (left_at >= joined_at),
  status            text not null default 'active' check (status in ('active', 'left')),
  notes             bytea,
  key_id            text,
  channel_id        text,
  channel_member_id text,
  primary key (organization_id, id),
  foreign key (organization_id, group_id) references groups (organization_id, id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, guest_id) references guests (organization_id, id),
  foreign key (organization_id, key_id) references organization_keys (organization_id, id),
  foreign key (channel_member_id, channel_id, organization_id) references memberships (id, channel_id, organization_id),
  constraint group_members_one_reference check (
    (member_type = 'patient') = (patient_id is not null) and (member_type = 'guest') = (guest_id is not null)),
  constraint group_members_left_once check ((status = 'left') = (left_at is not null)),
  constraint group_members_notes_closed check ((notes is null) = (key_id is null)),
  constraint group_members_in_a_channel check (
    (channel_id is null) = (channel_member_id is null) and (channel_id is null or member_type = 'patient'))
);
comment on table group_members is 'The roster. Leaving ends a row; coming back starts a new one. Capacity is counted with the group locked; the partial indexes are the net.';
comment on column group_members.channel_member_id is 'The membership that this row has given in the group''s channel, once: who left the channel by hand stays out until they have a new row.';
create index ix_group_members_group_status on group_members (organization_id, group_id, status);
create unique index ix_group_members_unique_patient on group_members (organization_id, group_id, patient_id)
  where status = 'active' and member_type = 'patient';
create unique index ix_group_members_unique_guest on group_members (organization_id, group_id, guest_id)
  where status = 'active' and member_type = 'guest';
create index group_members_of_a_patient on group_members (patient_id, organization_id) where patient_id is not null;
create index group_members_of_a_guest on group_members (guest_id, organization_id) where guest_id is not null;

create table encounters (
  organization_id      text not null references organizations,
  id                   text not null check (id ~ '^enc_[0-9a-z]{20}$'),
  subject_type         text not null default 'patient' check (subject_type in ('patient', 'group')),
  patient_id           text,
  group_id             text,
  encounter_date       timestamptz not null,
  type                 text not null check (type ~ '^[a-z][a-z0-9_-]{0,59}$'),
  chief_complaint      bytea,
  key_id               text,
  documentation_status text not null default 'not_started'
    check (documentation_status in ('not_started', 'in_progress', 'complete')),
  finalized_at         timestamptz,
  finalized_by         text,
  created_by_user      text not null,
  created_at           timestamptz not null default now(),
  primary key (organization_id, id),
  unique (organization_id, id, group_id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, group_id) references groups (organization_id, id),
  foreign key (organization_id, key_id) references organization_keys (organization_id, id),
  foreign key (organization_id, finalized_by) references team_members (organization_id, id),
  foreign key (organization_id, created_by_user) references team_members (organization_id, id),
  constraint encounters_one_subject check (
    (subject_type = 'patient') = (patient_id is not null) and (subject_type = 'group') = (group_id is not null)),
  constraint encounters_chief_complaint_closed check ((chief_complaint is null) = (key_id is null)),
  constraint encounters_finalized_by_somebody check ((finalized_at is null) = (finalized_by is null)),
  constraint encounters_finalized_are_documented check (finalized_at is null or documentation_status = 'complete')
);
comment on table encounters is 'What took place, with one patient or with a group: both subjects go through one path. The chief complaint is encrypted.';
create index ix_encounters_group_id on encounters (organization_id, group_id);
create index ix_encounters_org_subject_type on encounters (organization_id, subject_type);
create index encounters_of_a_patient on encounters (patient_id, organization_id) where patient_id is not null;

create table encounter_practitioners (
  organization_id text not null,
  encounter_id    text not null,
  team_member_id  text not null,
  is_assigned     boolean not null default true,
  primary key (organization_id, encounter_id, team_member_id),
  foreign key (organization_id, encounter_id) references encounters (organization_id, id),
  foreign key (organization_id, team_member_id) references team_members (organization_id, id)
);
comment on table encounter_practitioners is 'Which team members an encounter is assigned to. Who is taken off it is kept, as not assigned.';

create table encounter_notes (
  organization_id  text not null,
  id               text not null check (id ~ '^note_[0-9a-z]{20}$'),
  encounter_id     text not null,
  note_type        text not null check (note_type ~ '^[a-z][a-z0-9_-]{0,59}$'),
  participant_type text check (participant_type in ('patient', 'guest')),
  patient_id       text,
  guest_id         text,
  author_id        text not null,
  key_id           text not null,
  content          bytea not null,
  created_at       timestamptz not null default now(),
  primary key (organization_id, id),
  foreign key (organization_id, encounter_id) references encounters (organization_id, id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, guest_id) references guests (organization_id, id),
  foreign key (organization_id, author_id) references team_members (organization_id, id),
  foreign key (organization_id, key_id) references organization_keys (organization_id, id),
  constraint encounter_notes_one_participant check (
    (participant_type is not distinct from 'patient') = (patient_id is not null)
    and (participant_type is not distinct from 'guest') = (guest_id is not null))
);
comment on table encounter_notes is 'Clinical notes of an encounter, encrypted, of the whole of it or about one participant. Written once and never changed.';
create index encounter_notes_of_an_encounter on encounter_notes (encounter_id, organization_id);

create table group_form_submissions (
  organization_id        text not null,
  id                     text not null check (id ~ '^gfs_[0-9a-z]{20}$'),
  encounter_id           text not null,
  group_id               text not null,
  participant_type       text not null check (participant_type in ('patient', 'guest')),
  patient_id             text,
  guest_id               text,
  form_id                text not null check (form_id ~ '^[!-~]{1,100}$'),
  external_submission_id text check (external_submission_id ~ '^[!-~]{1,200}$'),
  submitted_at           timestamptz not null default now(),
  submission_metadata    jsonb not null default '{}' check (jsonb_typeof(submission_metadata) = 'object'),
  primary key (organization_id, id),
  foreign key (organization_id, encounter_id, group_id) references encounters (organization_id, id, group_id),
  foreign key (organization_id, group_id) references groups (organization_id, id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, guest_id) references guests (organization_id, id),
  constraint group_form_submissions_one_reference check (
    (participant_type = 'patient') = (patient_id is not null) and (participant_type = 'guest') = (guest_id is not null))
);
comment on table group_form_submissions is 'Who answered which form in which session; the answers themselves are with the forms'' own service.';
create index group_form_submissions_of_an_encounter on group_form_submissions (encounter_id, organization_id);
create unique index group_form_submissions_once on group_form_submissions (external_submission_id, form_id, organization_id)
  where external_submission_id is not null;

-- ---------------------------------------------------------------------------------------------------------------------
-- Notices: reaching people who are away (domain.md §4)
-- ---------------------------------------------------------------------------------------------------------------------

create table notice_preferences (
  organization_id text not null,
  person_id       text not null,
  push            boolean not null default true,
  push_by         text,
  push_at         timestamptz,
  unread_email    boolean not null default true,
  unread_email_by text,
  unread_email_at timestamptz,
  quiet_from      time,
  quiet_until     time check (quiet_until <> quiet_from),
  time_zone       text,
  quiet_by        text,
  quiet_at        timestamptz,
  primary key (person_id, organization_id),
  foreign key (organization_id, person_id) references people (organization_id, id),
  foreign key (organization_id, push_by) references people (organization_id, id),
  foreign key (organization_id, unread_email_by) references people (organization_id, id),
  foreign key (organization_id, quiet_by) references people (organization_id, id),
  constraint notice_preferences_quiet_whole check (num_nulls(quiet_from, quiet_until, time_zone) in (0, 3)),
  constraint notice_preferences_who_and_when check (
    (push_by is null) = (push_at is null) and (unread_email_by is null) = (unread_email_at is null) and (quiet_by is null) = (quiet_at is null))
);
comment on table notice_preferences is 'What somebody wants to be told by, and when not; who set it last, and when. No row: both on, no quiet hours. Muting one channel is on the membership.';

create table devices (
  organization_id text not null,
  id              text not null check (id ~ '^dev_[0-9a-z]{20}$'),
  person_id       text not null,
  platform        text not null default 'web' check (platform = 'web'),
  endpoint        text not null check (endpoint ~ '^https://[!-~]+$' and length(endpoint) <= 2000),
  p256dh          bytea not null check (length(p256dh) = 65),
  auth            bytea not null check (length(auth) = 16),
  added_at        timestamptz not null default clock_timestamp(),
  removed_at      timestamptz,
  removed_why     text check (removed_why in ('person', 'elsewhere', 'moved', 'gone', 'signed_out')),
  primary key (id, organization_id),
  unique (id, person_id, organization_id),
  foreign key (organization_id, person_id) references people (organization_id, id),
  constraint devices_removed_with_why check ((removed_at is null) = (removed_why is null))
);
comment on table devices is 'Where somebody''s browsers take pushes. An endpoint is one person''s at a time, in all organisations; signing out ends those added before (people.signed_out_at).';
create unique index devices_one_owner on devices (endpoint) where removed_at is null;
create index devices_of_a_person on devices (person_id, organization_id) where removed_at is null;

create table notice_marks (
  organization_id text not null,
  channel_id      text not null,
  planned_offset  bigint not null check (planned_offset >= 0),
  primary key (channel_id, organization_id),
  foreign key (organization_id, channel_id) references channels (organization_id, id)
);
comment on table notice_marks is 'How far the notices of a channel''s log are planned. A table of its own, so that planning never holds the head of a log.';

create table mails (
  organization_id  text not null,
  id               text not null check (id ~ '^ml_[0-9a-z]{20}$'),
  person_id        text not null,
  unsubscribe_code text not null check (unsubscribe_code ~ '^[0-9A-Za-z_-]{22,64}$'),
  status           text not null default 'sending' check (status in ('sending', 'sent', 'refused', 'withdrawn', 'dead')),
  why              text check (why <> ''),
  attempts         integer not null default 0 check (attempts >= 0),
  starts           integer not null default 0 check (starts >= 0),
  due_at           timestamptz not null default clock_timestamp(),
  claimed_until    timestamptz,
  created_at       timestamptz not null default clock_timestamp(),
  settled_at       timestamptz,
  primary key (id, organization_id),
  unique (id, person_id, organization_id),
  foreign key (organization_id, person_id) references people (organization_id, id),
  constraint mails_settled check ((status = 'sending') = (settled_at is null))
);
comment on table mails is 'One unread email each: one per person over all their due episodes. The id is in its Message-ID; a mail that was accepted just before its worker died goes once more, under the same one.';
comment on column mails.unsubscribe_code is 'Switches this person''s unread emails off and on again, and opens nothing else.';
create unique index mails_one_per_code on mails (unsubscribe_code);
create unique index mails_one_on_its_way on mails (person_id, organization_id) where status = 'sending';
create index mails_on_their_way on mails (due_at) where status = 'sending';

create table notices (
  organization_id text not null,
  id              text not null check (id ~ '^ntc_[0-9a-z]{20}$'),
  medium          text not null check (medium in ('push', 'email')),
  cause           text not null check (cause in ('new', 'unattended')),
  channel_id      text not null,
  membership_id   text not null,
  person_id       text not null,
  message_id      text not null,
  log_offset      bigint not null check (log_offset >= 1),
  status          text not null check (status in ('due', 'sent', 'suppressed', 'failed', 'dead')),
  why             text not null check (why ~ '^[a-z_]{1,40}$'),
  due_at          timestamptz not null,
  attempts        integer not null default 0 check (attempts >= 0),
  starts          integer not null default 0 check (starts >= 0),
  claimed_until   timestamptz,
  mail_id         text,
  planned_at      timestamptz not null default clock_timestamp(),
  settled_at      timestamptz,
  superseded_at   timestamptz,
  primary key (id, organization_id),
  foreign key (membership_id, person_id, channel_id, organization_id) references memberships (id, person_id, channel_id, organization_id),
  foreign key (message_id, channel_id, organization_id) references messages (id, channel_id, organization_id),
  foreign key (mail_id, person_id, organization_id) references mails (id, person_id, organization_id),
  constraint notices_settled check ((status = 'due') = (settled_at is null)),
  constraint notices_by_mail check (mail_id is null or medium = 'email'),
  constraint notices_superseded check (superseded_at is null or (medium = 'push' and status = 'sent') or (medium = 'email' and status <> 'due'))
);
comment on table notices is 'The ledger, and the queue: one decision per row. A push answers for one message; an email for every message of the episode that begins at its offset. Its key makes doubles impossible.';
comment on column notices.why is 'In one word (server/notices/rules.py): what it waits for while due, what decided it when settled.';
comment on column notices.attempts is 'How often it was claimed, counted at the claim.';
comment on column notices.starts is 'Claims since one last came back: a row that kills its worker is dead after three.';
comment on column notices.superseded_at is 'When it was seen that the read mark has reached it since: a push no longer stands on the devices, and of an email the next episode has begun.';
create unique index notices_once on notices (membership_id, log_offset, medium, cause, channel_id, organization_id);
create index notices_due on notices (medium, due_at) where status = 'due';
create index notices_dead on notices (medium, settled_at) where status = 'dead';
create index notices_of_a_message on notices (message_id, channel_id, organization_id);
create index notices_mailable on notices (person_id, organization_id) where settled_at is null and medium = 'email';
create index notices_of_a_mail on notices (mail_id, organization_id) where mail_id is not null;
create index notices_standing on notices (membership_id, log_offset) where medium = 'push' and status = 'sent' and superseded_at is null;
create index notices_open_episodes on notices (membership_id) where medium = 'email' and cause = 'new' and status <> 'due' and superseded_at is null;

create table notice_deliveries (
  organization_id text not null,
  notice_id       text not null,
  device_id       text not null,
  status          text not null check (status in ('sent', 'gone', 'refused', 'failed')),
  answer          integer check (answer between 100 and 599),
  attempts        integer not null default 1 check (attempts >= 1),
  at              timestamptz not null default clock_timestamp(),
  primary key (notice_id, device_id, organization_id),
  foreign key (notice_id, organization_id) references notices (id, organization_id),
  foreign key (device_id, organization_id) references devices (id, organization_id)
);
comment on table notice_deliveries is 'What came of a push at each device: what was delivered before a worker died is not delivered again.';

create table unattended (
  organization_id text not null,
  channel_id      text not null,
  log_offset      bigint not null check (log_offset >= 1),
  since           timestamptz not null,
  stage           text not null default 'waiting' check (stage in ('waiting', 'noticed', 'escalated', 'over')),
  due_at          timestamptz,
  primary key (channel_id, organization_id),
  foreign key (organization_id, channel_id) references channels (organization_id, id),
  constraint unattended_due check ((due_at is null) = (stage in ('escalated', 'over')))
);
comment on table unattended is 'A channel''s oldest patient message that nobody of the team has read, since when, and what has been done about it.';
comment on column unattended.log_offset is 'It is over as soon as an active team member''s read mark has reached it, whatever stands here.';
create index unattended_open on unattended (due_at) where stage <> 'over';

-- ---------------------------------------------------------------------------------------------------------------------
-- The access log: who did what, when, on whose record
-- ---------------------------------------------------------------------------------------------------------------------

create table audit_entries (
  organization_id text not null references organizations,
  id              bigint generated always as identity,
  at              timestamptz not null default clock_timestamp(),
  actor_id        text,
  operation       text not null,
  outcome         text not null default 'done' check (outcome in ('done', 'refused')),
  patient_id      text,
  channel_id      text,
  facts           jsonb not null default '{}',
  request_id      text not null,
  primary key (id, organization_id),
  foreign key (organization_id, actor_id) references people (organization_id, id),
  foreign key (organization_id, patient_id) references patients (organization_id, id),
  foreign key (organization_id, channel_id) references channels (organization_id, id)
);
comment on table audit_entries is 'Inserted in the transaction of the access it records (a refusal''s in one of its own), by a role that can do nothing else here. A send is not in it: its event is its record.';
create index audit_entries_of_a_patient on audit_entries (patient_id, id) where patient_id is not null;
create index audit_entries_of_a_channel on audit_entries (channel_id, id) where channel_id is not null;
create index audit_entries_of_an_organization on audit_entries (organization_id, id);

create function take_transaction_id() returns trigger language plpgsql as $$
begin
  perform pg_current_xact_id();
  return null;
end $$;
comment on function take_transaction_id is 'Gives the transaction its id before the first entry draws its own: whoever sees an entry knows that every lower id belongs to a transaction that the next snapshot knows. The sealer rests on it.';
create trigger audit_entries_take_transaction_id before insert on audit_entries
  for each statement execute function take_transaction_id();

create table audit_seals (
  organization_id text not null references organizations,
  sequence        bigint not null check (sequence >= 1),
  entry_id        bigint not null,
  hash            text not null check (hash ~ '^[0-9a-f]{64}$'),
  sealed_at       timestamptz not null,
  more            boolean not null,
  primary key (organization_id, sequence),
  unique (entry_id, organization_id),
  foreign key (organization_id, entry_id) references audit_entries (organization_id, id)
);
comment on table audit_seals is 'The chain over the access log, one per organisation: each seal holds the hash of the seal before it and of its entry (server/sealing/chain.py). In the order in which entries were seen committed.';
comment on column audit_seals.more is 'The round that made this seal left committed entries for the next one; so the next one may be sealed late without being backdated.';

create table audit_heads (
  organization_id text not null,
  sequence        bigint not null,
  hash            text not null,
  signed_at       timestamptz not null,
  key_id          text not null,
  signature       text not null,
  primary key (organization_id, sequence, key_id),
  foreign key (organization_id, sequence) references audit_seals (organization_id, sequence)
);
comment on table audit_heads is 'Signed ends of the chain. Copies belong outside the database: they show that the log was cut or written anew.';

create table audit_signing_keys (
  key_id     text primary key,
  public_key text not null,
  since      timestamptz not null default clock_timestamp()
);
comment on table audit_signing_keys is 'The public keys that heads were signed with. For convenience: what is to be trusted is kept outside the database.';

create table audit_mark (
  one_row  boolean primary key default true check (one_row),
  entry_id bigint not null default 0
);
comment on table audit_mark is 'Every entry up to this id is sealed, and none can turn up any more: so the sealer looks beyond it only.';
insert into audit_mark default values;

-- ---------------------------------------------------------------------------------------------------------------------
-- What the application may do. The owner of these tables does the rest: schema, keys'' removal, reading the access log.
-- ---------------------------------------------------------------------------------------------------------------------

create table schema_state (
  one_row     boolean primary key default true check (one_row),
  fingerprint text not null
);
comment on table schema_state is 'What `warmline schema apply` made, so that `warmline schema check` sees any difference.';

grant usage on schema public to warmline_app;
grant select, insert, update on organizations, roles, organization_keys, people, identities, patient_groups, team_members, pictures, patients,
  channels, memberships, channel_profiles, messages to warmline_app;
grant select, insert on message_revisions, events to warmline_app;
grant select on log_generation, schema_state to warmline_app;
grant insert on audit_entries to warmline_app;

-- Who chains the access log reads it and adds seals and heads; who audits reads. The application can do neither.
grant usage on schema public to warmline_sealer, warmline_auditor;
grant select on audit_entries, audit_seals, audit_heads, audit_signing_keys, audit_mark to warmline_sealer, warmline_auditor;
grant select on organizations to warmline_sealer, warmline_auditor;
grant insert on audit_seals, audit_heads, audit_signing_keys to warmline_sealer;
grant update (entry_id) on audit_mark to warmline_sealer;
grant select, insert, update on groups, guests, group_members, encounters, encounter_practitioners to warmline_app;
grant select, insert on encounter_notes, group_form_submissions to warmline_app;
grant select, insert, update on patient_group_team, organization_settings, archivings, activation_rules, activation_nominees to warmline_app;
grant select, insert, update on notice_preferences, devices, notice_marks, mails, notices, notice_deliveries, unattended to warmline_app;

-- The queue is the library's (jobs.sql, in a schema of its own); there the application takes rows out as well.
grant usage on schema jobs to warmline_app;
grant select, insert, update, delete on all tables in schema jobs to warmline_app;
grant usage on all sequences in schema jobs to warmline_app;
