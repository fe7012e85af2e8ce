-- One incident for each fault (kind, feed, date), open until it is mended; whom it was told, once for each step. The
-- keeper of the house looks for faults and tells them; a row is written before a message is sent, and says what came
-- of it.
create table audit.incident (
    incident_id bigint generated always as identity primary key,
    kind text not null check (kind in (
        'missing', 'late', 'refused', 'held', 'arrived', 'build_failed', 'not_built', 'gate_failed', 'approval_waits',
        'disk', 'clock_off', 'calendar_ends', 'airflow_silent', 'backup_old'
    )),
    feed_code text,
    on_date date,
    subject text not null default '',
    is_urgent boolean not null,
    what text not null,
    mend text not null,
    since timestamptz not null,
    opened_at timestamptz not null default clock_timestamp(),
    closed_at timestamptz check (closed_at >= opened_at)
);
create unique index incident_open
on audit.incident (kind, coalesce(feed_code, ''), coalesce(on_date, '-infinity'), subject) where closed_at is null;
comment on table audit.incident is '故障事件：同一故障（种类、热线、日期）一条，消除即关闭；不含市民信息';

create table audit.incident_told (
    incident_id bigint not null references audit.incident,
    recipient text not null,
    step text not null check (step in ('first', 'reminder', 'last_time', 'solved')),
    state text not null check (state in ('sending', 'sent', 'failed')),
    attempts integer not null default 1,
    told_at timestamptz not null default clock_timestamp(),
    error text,
    primary key (incident_id, recipient, step)
);
comment on table audit.incident_told is '提醒记录：每个接收人每一步（首次、再次、最后、已消除）各一次';

create table audit.digest_told (
    on_date date not null,
    recipient text not null,
    state text not null check (state in ('sending', 'sent', 'failed')),
    attempts integer not null default 1,
    told_at timestamptz not null default clock_timestamp(),
    error text,
    primary key (on_date, recipient)
);
comment on table audit.digest_told is '日报发送记录：每日每个接收人一次';
grant select on audit.incident, audit.incident_told, audit.digest_told to minhu_auditor;
grant select on audit.incident to minhu_evaluator;
