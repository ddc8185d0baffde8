-- from 3cc3fcd108d29ffd
-- Reaching people who are away: settings, devices, the ledger of notices, mails, what stands unattended.

alter table organization_settings
  add column unread_email_minutes integer not null default 5 check (unread_email_minutes between 1 and 1440),
  add column unattended_hours integer not null default 24 check (unattended_hours between 1 and 168),
  add column named_in_email boolean not null default false;

comment on table organization_settings is 'How patients reach the team where a channel is closed, who is added to a channel when nobody else is left (the safety net), and when and how people who are away are told.';

comment on column organization_settings.named_in_email is 'Whether emails name the organisation; by default they name nobody.';

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

-- What was written before this version is not told again: planning goes on from the end of each log.
insert into notice_marks select organization_id, id, top_offset from channels;

grant select, insert, update on notice_preferences, devices, notice_marks, mails, notices, notice_deliveries, unattended to warmline_app;

-- The same rule, told in a way that takes a twelfth of a send less: a pattern that counts is slow.
alter table messages drop constraint messages_client_id_check,
  add constraint messages_client_id_check check (client_id ~ '^[ -~]+$' and length(client_id) <= 64);

-- With the person and the id in it, no plan for a send reads all members of a channel, whatever Postgres knows of the table.
drop index memberships_of_a_channel;
create index memberships_of_a_channel on memberships (channel_id, organization_id, person_id, id);
