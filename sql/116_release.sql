-- What the facts of a build, and the scores made of them, rest on. Asked again years later it says the same, unless
-- somebody changed what is never changed.
create function publish.batches_of(of_build bigint)
returns table (
    batch_id bigint,
    source_sha256 text,
    order_key bigint,
    feed_code text,
    delivery text,
    business_date date,
    staged_rows bigint
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        batch.batch_id,
        batch.source_sha256,
        batch.order_key,
        batch.feed_code,
        batch.delivery,
        batch.business_date,
        batch.staged_rows
    from audit.batch
    inner join audit.build_batch on batch.batch_id = build_batch.batch_id
    inner join audit.build on build_batch.build_id = build.build_id
    where build.status = 'succeeded' and build.build_id <= of_build
    group by batch.batch_id
    having bool_and(build_batch.action = 'take')
$$;
create function publish.decisions_of(of_build bigint)
returns table (kind text, decision_id bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select distinct taken.kind, taken.decision_id
    from audit.build_decision as taken
    inner join audit.build on taken.build_id = build.build_id
    where build.status = 'succeeded' and build.build_id <= of_build
$$;

create function publish.inputs(
    of_build bigint, of_config bigint, of_scheme text, manual_points bigint[], code jsonb
) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    select jsonb_build_object(
        'build_id', of_build,
        'batches', (
            select jsonb_build_object('count', count(*), 'sha256', publish.digest(coalesce(string_agg(
                concat_ws(' ', seen.batch_id, seen.source_sha256, seen.order_key), chr(10) order by seen.batch_id
            ), '')))
            from publish.batches_of(of_build) as seen
        ),
        'decisions', (
            select jsonb_build_object('count', count(*), 'sha256', publish.digest(coalesce(string_agg(
                publish.canonical(coalesce(
                    to_jsonb(made) || jsonb_build_object('appeal', to_jsonb(asked)), to_jsonb(excluded), to_jsonb(found)
                )),
                chr(10) order by taken.kind collate "C", taken.decision_id
            ), '')))
            from publish.decisions_of(of_build) as taken
            left join assess.appeal_decision as made
                on taken.kind = 'appeal_decision' and taken.decision_id = made.decision_id
            left join assess.appeal as asked on made.appeal_id = asked.appeal_id
            left join assess.exclusion as excluded
                on taken.kind = 'exclusion' and taken.decision_id = excluded.exclusion_id
            left join assess.violation as found
                on taken.kind = 'violation' and taken.decision_id = found.violation_id
        ),
        'manual_points', (
            select jsonb_build_object(
                'ids', to_jsonb(manual_points),
                'sha256', publish.digest(coalesce(string_agg(
                    publish.canonical(to_jsonb(point)), chr(10) order by point.manual_point_id
                ), ''))
            )
            from assess.manual_point as point
            where point.manual_point_id = any(manual_points)
        ),
        'scheme', (
            select jsonb_build_object(
                'version', max(entry.data ->> 'scheme_version'),
                'sha256', publish.digest(coalesce(string_agg(publish.canonical(entry.data), chr(10)), ''))
            )
            from config.entry
            where
                entry.kind = 'scheme'
                and entry.key = of_scheme
                and entry.since_version <= of_config
                and (entry.until_version is null or entry.until_version > of_config)
        ),
        'config_version', of_config,
        'config', (
            select jsonb_object_agg(by_kind.kind, by_kind.sha256)
            from (
                select
                    entry.kind,
                    publish.digest(string_agg(
                        publish.canonical(jsonb_build_array(entry.key, entry.data)),
                        chr(10) order by entry.key collate "C"
                    )) as sha256
                from config.entry
                where
                    entry.since_version <= of_config
                    and (entry.until_version is null or entry.until_version > of_config)
                group by entry.kind
            ) as by_kind
        ),
        'code', code
    )
$$;
comment on function publish.inputs is '输入指纹：批次、决定、人工计分、办法、各类配置与代码版本';

-- What the evidence of a scored period has that the release before it had not, and the other way round. Without a
-- release before it: all of it. Rows of indicators that lost nothing cost nothing and stay out, unless excluded.
create function publish.evidence_moved(of_scheme text, of_version text, of_period text, base_release_id bigint)
returns table (
    change text,
    scheme_id text,
    scheme_version text,
    period text,
    unit_code text,
    indicator_code text,
    subject_kind text,
    subject_id text,
    case_id text,
    assignment_id text,
    callback_id text,
    numerator_value numeric,
    denominator_value numeric,
    excluded_reason text,
    due_at timestamptz,
    occurred_at timestamptz
)
language sql stable set search_path = pg_catalog, pg_temp as $$
    with now_told as (
        select
            evidence.unit_code, evidence.indicator_code, evidence.subject_kind, evidence.subject_id, evidence.case_id,
            evidence.assignment_id, evidence.callback_id, evidence.numerator_value, evidence.denominator_value,
            evidence.excluded_reason, evidence.due_at, evidence.occurred_at
        from mart.fct_evidence as evidence
        inner join mart.fct_unit_indicator as points using (scheme_id, scheme_version, period, unit_code, indicator_code)
        where
            evidence.scheme_id = of_scheme
            and evidence.scheme_version = of_version
            and evidence.period = of_period
            and (evidence.excluded_reason is not null or points.points < points.points_max)
    ),

    told_before as (
        select
            evidence.unit_code, evidence.indicator_code, evidence.subject_kind, evidence.subject_id, evidence.case_id,
            evidence.assignment_id, evidence.callback_id, evidence.numerator_value, evidence.denominator_value,
            evidence.excluded_reason, evidence.due_at, evidence.occurred_at
        from publish.evidence_of_release as evidence
        where evidence.release_id = base_release_id
    ),

    moved as (
        (select 'removed' as change, told_before.* from told_before except all select 'removed', now_told.* from now_told)
        union all
        (select 'added', now_told.* from now_told except all select 'added', told_before.* from told_before)
    )

    select
        moved.change, of_scheme, of_version, of_period, moved.unit_code, moved.indicator_code, moved.subject_kind,
        moved.subject_id, moved.case_id, moved.assignment_id, moved.callback_id, moved.numerator_value,
        moved.denominator_value, moved.excluded_reason, moved.due_at, moved.occurred_at
    from moved
$$;

-- How many rows a closing froze and the last hash of their chain. `start`: the fingerprint of the inputs.
create function publish.content_of(of_closing bigint, start text)
returns table (frozen_rows bigint, content_hash text)
language sql stable set search_path = pg_catalog, pg_temp as $$
    select
        count(*),
        publish.chain(
            start, publish.canonical(jsonb_build_object('kind', frozen.kind, 'data', frozen.data)) order by frozen.row_no
        )
    from publish.frozen_row as frozen
    where frozen.closing_id = of_closing
$$;

-- The acts. Who is the login of the session, never an argument.
create function publish.close(
    scheme_id text,
    scheme_version text,
    period text,
    quality_run_id bigint,
    code jsonb,
    why text default null,
    is_early boolean default false
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
#variable_conflict use_column
declare
    run mart.score_run;
    base publish.release;
    gate audit.quality_run;
    points bigint[];
    frozen jsonb;
    fingerprint text;
    is_cut_short boolean;
    made bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:build', 0));
    perform pg_advisory_xact_lock(hashtextextended('minhu:publish', 0));
    select * into run
    from mart.score_run as scored
    where
        scored.scheme_id = close.scheme_id
        and scored.scheme_version = close.scheme_version
        and scored.period = close.period;
    if not found then
        raise exception '% has not been scored by this version of the scheme %', close.period, close.scheme_id;
    end if;
    if exists (select from audit.build where build.status = 'succeeded' and build.build_id > run.build_id) then
        raise exception 'the facts were built anew after % was scored: close it again', run.period;
    end if;
    if not exists (
        select from audit.build
        where build.build_id = run.build_id and build.config_version = run.config_version
    ) then
        raise exception 'the configuration changed since the last build: build first, then close %', run.period;
    end if;
    is_cut_short := run.ends_at > clock_timestamp() or run.as_of < run.ends_at;
    if is_cut_short and not close.is_early then
        raise exception '% is not over: its data end at %', run.period,
            to_char(run.as_of at time zone 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI');
    end if;
    select * into gate from audit.quality_run as judged where judged.quality_run_id = close.quality_run_id;
    if gate.gate is distinct from 'release'
        or gate.subject is distinct from concat_ws(' ', run.scheme_id, run.scheme_version, run.period)
        or gate.started_at < run.scored_at
        or gate.finished_at is null
        or exists (
            select from audit.quality_result as judged
            where
                judged.quality_run_id = gate.quality_run_id
                and judged.severity = 'critical'
                and not judged.is_passed
                and not (is_cut_short and judged.rule_id = 'release.period_over')
        )
    then
        raise exception 'no release gate has passed the scores of % as they are', run.period;
    end if;
    select * into base
    from publish.release
    where release.scheme_id = run.scheme_id and release.period = run.period
    order by release.revision desc
    limit 1;
    if base.release_id is not null and btrim(coalesce(close.why, '')) = '' then
        raise exception '% is published, revision %: a revision says why', run.period, base.revision;
    end if;
    select coalesce(array_agg(point.manual_point_id order by point.manual_point_id), '{}') into points
    from assess.manual_point_in_force as point
    where point.scheme_id = run.scheme_id;
    frozen := publish.inputs(run.build_id, run.config_version, run.scheme_id, points, close.code)
    || jsonb_build_object('as_of', run.as_of);
    fingerprint := publish.digest(publish.canonical(frozen));

    made := nextval(pg_get_serial_sequence('publish.closing', 'closing_id'));
    insert into publish.frozen_row (closing_id, row_no, kind, data)
    select
        made,
        row_number() over (order by listed.kind_no, listed.key collate "C"),
        listed.kind,
        listed.data
    from (
        select
            1 as kind_no,
            'unit_score' as kind,
            score.unit_code as key,
            to_jsonb(score) as data
        from mart.fct_unit_score as score
        where
            score.scheme_id = run.scheme_id
            and score.scheme_version = run.scheme_version
            and score.period = run.period
        union all
        select
            2,
            'unit_indicator',
            concat_ws('|', of_unit.unit_code, of_unit.indicator_code),
            to_jsonb(of_unit)
        from mart.fct_unit_indicator as of_unit
        where
            of_unit.scheme_id = run.scheme_id
            and of_unit.scheme_version = run.scheme_version
            and of_unit.period = run.period
        union all
        select
            3,
            'evidence',
            concat_ws(
                '|', moved.unit_code, moved.indicator_code, moved.subject_kind, moved.subject_id,
                moved.change = 'added'  -- what a changed row was goes before what it is
            ),
            to_jsonb(moved)
        from publish.evidence_moved(run.scheme_id, run.scheme_version, run.period, base.release_id) as moved
    ) as listed;
    if not exists (select from publish.frozen_row as row where row.closing_id = made and row.kind = 'unit_score') then
        raise exception 'nothing was scored in %: no unit has a score', run.period;
    end if;

    insert into publish.closing (
        closing_id, scheme_id, scheme_version, period, revision, base_release_id, is_early, why, starts_at, ends_at,
        as_of, build_id, config_version, quality_run_id, inputs, input_fingerprint, frozen_rows, content_hash
    )
    overriding system value
    select
        made,
        run.scheme_id,
        run.scheme_version,
        run.period,
        coalesce(base.revision, 0) + 1,
        base.release_id,
        is_cut_short,
        nullif(btrim(close.why), ''),
        run.starts_at,
        run.ends_at,
        run.as_of,
        run.build_id,
        run.config_version,
        close.quality_run_id,
        frozen,
        fingerprint,
        content.frozen_rows,
        content.content_hash
    from publish.content_of(made, fingerprint) as content;
    return made;
end
$$;

-- Moves what was closed, and approved by another, into the release: all of it or, on any doubt, nothing.
create function publish.publish(closing_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
#variable_conflict use_column
declare
    closed publish.closing;
    newest publish.release;
    approval assess.approval;
    content record;
    before text;
    made publish.release;
begin
    perform pg_advisory_xact_lock(hashtextextended('minhu:publish', 0));
    select * into closed from publish.closing as known where known.closing_id = publish.closing_id;
    if not found then
        raise exception 'there is no closing %', coalesce(publish.closing_id::text, '(none)');
    end if;
    select * into newest
    from publish.release
    where release.scheme_id = closed.scheme_id and release.period = closed.period
    order by release.revision desc
    limit 1;
    if exists (select from publish.release where release.closing_id = closed.closing_id) then
        raise exception 'closing % of % is published already', closed.closing_id, closed.period;
    end if;
    if newest.release_id is distinct from closed.base_release_id then
        raise exception 'revision % of % was published after closing %: close it again', newest.revision, closed.period,
            closed.closing_id;
    end if;
    if exists (
        select from assess.approval as given
        where
            given.subject_kind = 'closing'
            and given.subject_id = closed.closing_id::text
            and given.verdict = 'rejected'
    ) then
        raise exception 'closing % of % was rejected', closed.closing_id, closed.period;
    end if;
    select * into approval
    from assess.approval as given
    where
        given.subject_kind = 'closing'
        and given.subject_id = closed.closing_id::text
        and given.verdict = 'approved'
        and given.approved_by <> closed.closed_by
    order by given.approval_id
    limit 1;
    if not found then
        raise exception 'closing % of % is not approved: another login than % approves it', closed.closing_id,
            closed.period, closed.closed_by;
    end if;
    select * into content from publish.content_of(closed.closing_id, closed.input_fingerprint);
    if content.content_hash is distinct from closed.content_hash
        or closed.input_fingerprint <> publish.digest(publish.canonical(closed.inputs))
    then
        raise exception 'closing % of % is not what it was when it was approved', closed.closing_id, closed.period;
    end if;
    before := coalesce(
        (select last.hash from publish.release as last order by last.release_id desc limit 1),
        publish.hash_before_the_first()
    );

    made.release_id := nextval(pg_get_serial_sequence('publish.release', 'release_id'));
    made.closing_id := closed.closing_id;
    made.scheme_id := closed.scheme_id;
    made.scheme_version := closed.scheme_version;
    made.period := closed.period;
    made.revision := closed.revision;
    made.is_early := closed.is_early;
    made.why := closed.why;
    made.starts_at := closed.starts_at;
    made.ends_at := closed.ends_at;
    made.as_of := closed.as_of;
    made.build_id := closed.build_id;
    made.config_version := closed.config_version;
    made.inputs := closed.inputs;
    made.input_fingerprint := closed.input_fingerprint;
    made.content_hash := closed.content_hash;
    made.row_count := closed.frozen_rows;
    made.closed_by := closed.closed_by;
    made.closed_at := closed.closed_at;
    made.approval_id := approval.approval_id;
    made.approved_by := approval.approved_by;
    made.approved_at := approval.approved_at;
    made.published_by := session_user;
    made.published_at := clock_timestamp();
    made.previous_hash := before;

    -- A chain is one after the other: the hashes first, then each table takes its rows.
    with chained as (
        select
            frozen.row_no,
            frozen.kind,
            published.data,
            publish.chain(before, publish.canonical(published.data)) over (order by frozen.row_no) as hash
        from publish.frozen_row as frozen
        cross join lateral (
            select frozen.data || jsonb_build_object(
                'release_id', made.release_id, 'row_no', frozen.row_no, 'revision', made.revision
            ) as data
        ) as published
        where frozen.closing_id = closed.closing_id
    ),

    linked as (
        select
            chained.kind,
            chained.data || jsonb_build_object(
                'hash', chained.hash, 'previous_hash', lag(chained.hash, 1, before) over (order by chained.row_no)
            ) as data
        from chained
    ),

    scores as (
        insert into publish.unit_score
        select filled.*
        from linked
        cross join lateral jsonb_populate_record(null::publish.unit_score, linked.data) as filled
        where linked.kind = 'unit_score'
    ),

    indicators as (
        insert into publish.unit_indicator
        select filled.*
        from linked
        cross join lateral jsonb_populate_record(null::publish.unit_indicator, linked.data) as filled
        where linked.kind = 'unit_indicator'
    ),

    evidence as (
        insert into publish.evidence
        select filled.*
        from linked
        cross join lateral jsonb_populate_record(null::publish.evidence, linked.data) as filled
        where linked.kind = 'evidence'
    )

    select linked.data ->> 'hash' into made.hash
    from linked
    order by (linked.data ->> 'row_no')::bigint desc
    limit 1;

    made.hash := publish.link(
        null, made.hash, publish.canonical(to_jsonb(made) - 'hash')
    );
    insert into publish.release overriding system value values (made.*);
    return made.release_id;
end
$$;

revoke execute on all functions in schema publish from public;
grant execute on function publish.publish to minhu_evaluator;
-- Who approves sees what a revision rests on that the one before did not.
grant execute on function publish.batches_of, publish.decisions_of to minhu_evaluator, minhu_auditor;

-- What people decided and no successful build has taken, whatever it is about. An appeal granted from a later revision
-- on waits until that revision is the next one of its period.
create view audit.decision_to_build as
with decision as (
    select
        'appeal_decision' as kind,
        made.decision_id
    from assess.appeal_decision as made
    inner join assess.appeal as asked on made.appeal_id = asked.appeal_id
    where
        made.from_revision is null
        or made.from_revision <= 1 + (
            select coalesce(max(release.revision), 0)
            from publish.release
            where release.period = asked.period and (asked.scheme_id is null or release.scheme_id = asked.scheme_id)
        )
    union all
    select
        'exclusion',  -- noqa: AL03
        excluded.exclusion_id
    from assess.exclusion as excluded
    union all
    select
        'violation',  -- noqa: AL03
        found.violation_id
    from assess.violation as found
)

select
    decision.kind,
    decision.decision_id
from decision
where not exists (
    select
    from audit.build_decision as taken
    inner join audit.build on taken.build_id = build.build_id
    where build.status = 'succeeded' and taken.kind = decision.kind and taken.decision_id = decision.decision_id
);
comment on view audit.decision_to_build is '待构建的决定：尚无成功构建采用的申诉决定、剔除与效能认定';
