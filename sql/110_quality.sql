-- The gates' own record: which rules were in force when, what each found, every row that failed, and the limits that a
-- delivery's own history set. Results and failed rows carry keys and measures, never a citizen's data.

-- A dated register: one row per version of a rule, written by the first gate run that uses it. A rule that is renamed
-- or taken away ends its old row; results keep its id.
create table audit.quality_rule (
    quality_rule_id bigint generated always as identity primary key,
    rule_id text not null,
    rule_hash text not null,
    title_zh text not null,
    description text not null,
    dimension text not null,
    owner text not null,
    basis text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    on_failure text not null check (on_failure in ('hold', 'stop', 'report')),
    asset text not null,
    since timestamptz not null,
    until timestamptz,
    check (until >= since)
);
create unique index quality_rule_in_force on audit.quality_rule (rule_id) where until is null;
comment on table audit.quality_rule is '规则台账：每条规则每个版本一行；until 为空者现行';
comment on column audit.quality_rule.rule_hash is
'sha256 of all that decides its verdict: type, arguments, limits, the query it judges, severity, basis, owner.';
comment on column audit.quality_rule.owner is '责任职能（不是个人）';
comment on column audit.quality_rule.basis is '依据：标准条款、文件或本系统约定';
comment on column audit.quality_rule.asset is 'What it judges: an asset of expectations/great_expectations.yml.';

create table audit.quality_run (
    quality_run_id bigint generated always as identity primary key,
    gate text not null check (gate in ('arrival', 'release')),
    subject text not null,
    started_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    is_passed boolean
);
comment on column audit.quality_run.subject is 'What was judged: a list of business dates, or a period.';

create table audit.quality_result (
    quality_run_id bigint not null references audit.quality_run,
    rule_id text not null,
    subject text not null,
    severity text not null check (severity in ('critical', 'warning', 'info')),
    is_passed boolean not null,
    is_errored boolean not null default false,
    observed jsonb,
    expected jsonb,
    feed_code text,
    delivery text,
    batch_id bigint references audit.batch,
    outcome text not null
    generated always as (case when is_errored then 'errored' when is_passed then 'passed' else 'failed' end) stored,
    failed_rows bigint,
    reproduce_sql text,
    primary key (quality_run_id, rule_id, subject)
);
create index quality_result_failed on audit.quality_result (rule_id, feed_code, quality_run_id) where not is_passed;
create index quality_result_batch on audit.quality_result (batch_id) where batch_id is not null;
comment on column audit.quality_result.subject is 'The batch or period the rule judged.';
comment on column audit.quality_result.batch_id is 'Null for a whole run and for a release.';
comment on column audit.quality_result.outcome is
'passed, failed or errored; errored counts as failed at its severity.';
comment on column audit.quality_result.failed_rows is
'How many keys failed, all of them in audit.quality_failed_row; 0 where it passed, null where it errored.';
comment on column audit.quality_result.reproduce_sql is 'Lists the failing keys again, as pasted into psql.';

create table audit.quality_failed_row (
    quality_run_id bigint not null references audit.quality_run,
    rule_id text not null,
    batch_id bigint references audit.batch,
    row_number bigint,
    key jsonb not null
);
create index quality_failed_row_rule on audit.quality_failed_row (quality_run_id, rule_id, batch_id);
comment on table audit.quality_failed_row is '未通过规则的全部行：只有键，没有内容';
comment on column audit.quality_failed_row.row_number is
'Data row of the delivered file; null where a whole batch, unit or period failed.';
comment on column audit.quality_failed_row.key is 'Business keys: feed_code, case_no, unit_code and the like.';

create table audit.batch_profile (
    batch_id bigint not null references audit.batch,
    metric text not null,
    value numeric,
    primary key (batch_id, metric)
);
comment on table audit.batch_profile is 'Measured once per batch in SQL; what the arrival gate judges.';

create table audit.batch_distribution (
    batch_id bigint not null references audit.batch,
    dimension text not null,
    row_count bigint not null,
    codes jsonb not null,
    primary key (batch_id, dimension)
);
comment on table audit.batch_distribution is '批次分布：各代码（或时点）的行数，与本交付的历史比较';
comment on column audit.batch_distribution.codes is
'Code → rows. Only registered codes are named; all others together are ?.';

create table audit.batch_threshold (
    batch_id bigint not null references audit.batch,
    metric text not null,
    value numeric not null,
    usual numeric not null,
    spread numeric not null,
    low_hard numeric,
    low_soft numeric,
    high_soft numeric,
    high_hard numeric,
    compared_with text not null check (compared_with in ('weekday', 'day_kind', 'recent')),
    earlier_batches integer not null,
    primary key (batch_id, metric)
);
comment on table audit.batch_threshold is '学习阈值：一个批次的一项指标、其历史常值与当时生效的上下限';
comment on column audit.batch_threshold.usual is 'Median over the earlier batches.';
comment on column audit.batch_threshold.spread is
'Robust standard deviation: 1.4826 × MAD, never less than chance alone gives.';
comment on column audit.batch_threshold.low_hard is
'Below it a critical rule fails; null where there is no such limit.';
comment on column audit.batch_threshold.low_soft is 'Below it a warning is given.';
comment on column audit.batch_threshold.high_soft is 'Above it a warning is given.';
comment on column audit.batch_threshold.high_hard is
'Above it a critical rule fails; null where there is no such limit.';
comment on column audit.batch_threshold.compared_with is
'Earlier batches of the same delivery: of the same weekday and kind of day, of the same kind of day, or the newest.';
comment on column audit.batch_threshold.earlier_batches is 'How many there were; too few, and there is no row.';
