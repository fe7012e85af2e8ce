-- Before a period is published for the first time it may be opened to units for some working days: each sees its own
-- frozen numbers and says what it finds wrong. Nothing of it moves a score: what is right about a remark is mended by
-- an act of its own, and the period is closed again. It is not published before the days are over.
create table assess.feedback (
    feedback_id bigint generated always as identity primary key,
    closing_id bigint not null unique references publish.closing,
    ends_at timestamptz not null,
    opened_by text not null,
    opened_at timestamptz not null default clock_timestamp()
);
comment on table assess.feedback is '核对：未发布的关账开放给各单位核对本单位结果的期限，只增不改';
create trigger stamp before insert on assess.feedback
for each row execute function assess.stamp('opened_by', 'opened_at');
create trigger append_only before update or delete or truncate on assess.feedback
for each statement execute function assess.refuse_change();

create table assess.remark (
    remark_id bigint generated always as identity primary key,
    closing_id bigint not null references assess.feedback (closing_id),
    unit_code text not null,
    indicator_code text,
    case_id text,
    statement text not null check (btrim(statement) <> '' and length(statement) <= 2000),
    filed_by text not null,
    filed_at timestamptz not null default clock_timestamp()
);
comment on table assess.remark is '核对意见：单位对本单位未发布结果提出的意见，只增不改';
comment on column assess.remark.statement is 'Masked before it is sent here.';
create index remark_closing on assess.remark (closing_id, unit_code);
create trigger stamp before insert on assess.remark
for each row execute function assess.stamp('filed_by', 'filed_at');
create trigger append_only before update or delete or truncate on assess.remark
for each statement execute function assess.refuse_change();
create trigger no_number before insert on assess.remark
for each row execute function audit.refuse_number('statement');

create table assess.remark_answer (
    remark_id bigint primary key references assess.remark,
    outcome text not null check (outcome in ('accepted_remark', 'stays_as_it_is')),
    reason text not null check (btrim(reason) <> ''),
    answered_by text not null,
    answered_at timestamptz not null default clock_timestamp()
);
comment on table assess.remark_answer is '核对意见的答复：采纳或说明，只增不改';
create trigger stamp before insert on assess.remark_answer
for each row execute function assess.stamp('answered_by', 'answered_at');
create trigger append_only before update or delete or truncate on assess.remark_answer
for each statement execute function assess.refuse_change();
create trigger no_number before insert on assess.remark_answer
for each row execute function audit.refuse_number('reason');

create view assess.remark_state with (security_invoker = true) as
select
    remark.remark_id,
    coalesce(answer.outcome, 'unanswered') as state,
    remark.closing_id,
    closing.scheme_id,
    closing.period,
    remark.unit_code,
    remark.indicator_code,
    remark.case_id,
    remark.statement,
    remark.filed_by,
    remark.filed_at,
    answer.reason,
    answer.answered_by,
    answer.answered_at
from assess.remark
inner join publish.closing on remark.closing_id = closing.closing_id
left join assess.remark_answer as answer on remark.remark_id = answer.remark_id;
comment on view assess.remark_state is
'state: unanswered, accepted_remark (will be mended), stays_as_it_is.';

create function publish.is_closed_again(of_closing bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from publish.closing as this
        inner join publish.closing as later on this.scheme_id = later.scheme_id and this.period = later.period
        where this.closing_id = of_closing and later.closing_id > this.closing_id
    )
$$;
comment on function publish.is_closed_again is 'Whether another closing of the same period came after this one.';

-- Of each opened closing: until when, whether it still stands, and the remarks that whoever asks may see.
create view assess.feedback_state with (security_invoker = true) as
with told as (
    select
        remark.closing_id,
        count(*) as remarks,
        count(*) filter (where answer.remark_id is null) as unanswered
    from assess.remark
    left join assess.remark_answer as answer on remark.remark_id = answer.remark_id
    group by remark.closing_id
)

select
    feedback.closing_id,
    closing.scheme_id,
    closing.period,
    closing.closed_by,
    closing.closed_at,
    closing.content_hash,
    feedback.opened_by,
    feedback.opened_at,
    feedback.ends_at,
    feedback.ends_at <= clock_timestamp() as is_over,
    release.release_id is not null as is_published,
    publish.is_closed_again(feedback.closing_id) as is_replaced,
    coalesce(told.remarks, 0) as remarks,
    coalesce(told.unanswered, 0) as unanswered
from assess.feedback
inner join publish.closing on feedback.closing_id = closing.closing_id
left join publish.release on feedback.closing_id = release.closing_id
left join told on feedback.closing_id = told.closing_id;
comment on view assess.feedback_state is 'Every closing that was opened to units, and how far that is.';

grant select on
assess.feedback, assess.remark, assess.remark_answer, assess.remark_state, assess.feedback_state
to minhu_evaluator, minhu_auditor, minhu_unit;
alter table assess.feedback enable row level security;
alter table assess.remark enable row level security;
alter table assess.remark_answer enable row level security;
create policy all_rows on assess.feedback for select to minhu_evaluator, minhu_auditor, minhu_unit using (true);
create policy all_rows on assess.remark for select to minhu_evaluator, minhu_auditor using (true);
create policy all_rows on assess.remark_answer for select to minhu_evaluator, minhu_auditor using (true);
create policy own_rows on assess.remark for select to minhu_unit
using (unit_code = any((select assess.own_unit_codes())::text[]));
create policy own_rows on assess.remark_answer for select to minhu_unit
using (remark_id in (select own.remark_id from assess.remark as own));

select audit.let_the_house_in(given)
from unnest(array['assess.feedback', 'assess.remark', 'assess.remark_answer']::regclass[]) as given;

-- What a unit sees of it: its own rows, and nobody else's score.
create policy opened on publish.closing for select to minhu_unit
using (closing_id in (select told.closing_id from assess.feedback as told));
create function publish.opened_rows(of_closing bigint)
returns table (kind text, data jsonb)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select frozen.kind, frozen.data - array['rank_in_group', 'listed_on']
    from publish.frozen_row as frozen
    where
        frozen.closing_id = of_closing
        and (
            assess.is_assessor()
            or pg_has_role(assess.asking_login()::name, 'minhu_auditor', 'member')
            or (
                frozen.data ->> 'unit_code' = any((select assess.own_unit_codes())::text[])
                and exists (select from assess.feedback as told where told.closing_id = of_closing)
            )
        )
$$;
comment on function publish.opened_rows is
'The frozen rows of a closing that whoever asks may look at, without a place: that tells of others.';
create function assess.opened_rests_on_point(of_point bigint) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from assess.feedback
        inner join publish.closing on feedback.closing_id = closing.closing_id
        where closing.inputs -> 'manual_points' -> 'ids' @> to_jsonb(of_point)
    )
$$;
comment on function assess.opened_rests_on_point is 'Whether anything that units look at rests on a point by hand.';
create policy opened on assess.manual_point for select to minhu_unit
using (
    unit_code = any((select assess.own_unit_codes())::text[]) and assess.opened_rests_on_point(manual_point_id)
);

create function assess.open_feedback(closing_id bigint) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    closed publish.closing;
    until timestamptz := assess.term_of_appeals('feedback_workdays', clock_timestamp());
    written bigint;
begin
    perform audit.hold('minhu:publish');
    select known.* into closed from publish.closing as known where known.closing_id = open_feedback.closing_id;
    if not found then
        raise exception 'there is no closing %', coalesce(open_feedback.closing_id::text, '(none)');
    end if;
    if exists (
        select from publish.release
        where release.scheme_id = closed.scheme_id and release.period = closed.period
    ) then
        raise exception 'closing % of % is published already', closed.closing_id, closed.period;
    end if;
    if exists (
        select from publish.closing as later
        where
            later.scheme_id = closed.scheme_id
            and later.period = closed.period
            and later.closing_id > closed.closing_id
    ) then
        raise exception '% was closed again after closing %: that one is opened', closed.period, closed.closing_id;
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
    if exists (select from assess.feedback as known where known.closing_id = closed.closing_id) then
        raise exception 'closing % is open to units already', closed.closing_id;
    end if;
    if until is null then
        raise exception 'the city says not for how many working days: feedback_workdays in appeals of city.yml';
    end if;
    insert into assess.feedback (closing_id, ends_at) values (closed.closing_id, until)
    returning feedback_id into written;
    return written;
end
$$;
comment on function assess.open_feedback is 'Opens a closing to units, each its own, for the declared working days.';

create function assess.remark(
    closing_id bigint, statement text, unit_code text default null, indicator_code text default null,
    case_id text default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
declare
    opened assess.feedback;
    own text[] := array(select told from assess.own_units() as told);
    of_unit text := coalesce(remark.unit_code, case when cardinality(own) = 1 then own[1] end);
    written bigint;
begin
    perform audit.hold('minhu:publish');
    if of_unit is null or not of_unit = any(own) then
        raise exception 'the login % does not speak for the unit %', assess.acting(),
            coalesce(quote_literal(remark.unit_code), '(none)');
    end if;
    select known.* into opened from assess.feedback as known where known.closing_id = remark.closing_id;
    if not found then
        raise exception 'closing % is not open to units', coalesce(remark.closing_id::text, '(none)');
    end if;
    if opened.ends_at <= clock_timestamp() then
        raise exception 'closing % was open to units until %', opened.closing_id,
            to_char(opened.ends_at at time zone mart.city_zone(), 'YYYY-MM-DD HH24:MI');
    end if;
    if publish.is_closed_again(opened.closing_id) then
        raise exception 'closing % was closed again since: its numbers are not those that will be published',
            opened.closing_id;
    end if;
    if length(btrim(remark.statement)) > 2000 then
        raise exception 'a remark has up to 2000 letters';
    end if;
    if not exists (
        select from publish.frozen_row as frozen
        where
            frozen.closing_id = opened.closing_id
            and frozen.kind = 'unit_score'
            and frozen.data ->> 'unit_code' = of_unit
    ) then
        raise exception 'closing % holds no score of the unit %', opened.closing_id, of_unit;
    end if;
    if remark.indicator_code is not null and not exists (
        select from publish.frozen_row as frozen
        where
            frozen.closing_id = opened.closing_id
            and frozen.kind = 'unit_indicator'
            and frozen.data ->> 'unit_code' = of_unit
            and frozen.data ->> 'indicator_code' = remark.indicator_code
    ) then
        raise exception 'the indicator % does not score the unit % here', remark.indicator_code, of_unit;
    end if;
    if (
        select count(*) from assess.remark as known
        where known.closing_id = opened.closing_id and known.unit_code = of_unit
    ) >= 200 then
        raise exception '200 remarks of one unit are enough: put what is alike into one';
    end if;
    insert into assess.remark (closing_id, unit_code, indicator_code, case_id, statement)
    values (
        opened.closing_id, of_unit, remark.indicator_code, remark.case_id,
        assess.stated(remark.statement, 'the statement')
    )
    returning remark_id into written;
    return written;
end
$$;
comment on function assess.remark is 'Says what a unit finds wrong with its own numbers before they are published.';

create function assess.answer_remark(remark_id bigint, outcome text, reason text) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
#variable_conflict use_column
begin
    perform audit.hold('minhu:publish');
    if not exists (select from assess.remark as known where known.remark_id = answer_remark.remark_id) then
        raise exception 'there is no remark %', coalesce(answer_remark.remark_id::text, '(none)');
    end if;
    if exists (select from assess.remark_answer as told where told.remark_id = answer_remark.remark_id) then
        raise exception 'remark % is answered already', answer_remark.remark_id;
    end if;
    if coalesce(answer_remark.outcome not in ('accepted_remark', 'stays_as_it_is'), true) then
        raise exception 'a remark is accepted_remark or stays_as_it_is';
    end if;
    insert into assess.remark_answer (remark_id, outcome, reason)
    values (answer_remark.remark_id, answer_remark.outcome, assess.stated(answer_remark.reason, 'the reason'));
    return answer_remark.remark_id;
end
$$;
comment on function assess.answer_remark is 'Answers a remark: it will be mended, or why it stays.';

-- Nothing is published while units still look; and what they said and nobody answered is told of the release.
create function publish.refuse_while_units_look() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    looked record;
begin
    if new.revision > 1 then
        return new;
    end if;
    select told.closing_id, told.ends_at into looked
    from assess.feedback as told
    inner join publish.closing on told.closing_id = closing.closing_id
    where closing.scheme_id = new.scheme_id and closing.period = new.period
    order by told.ends_at desc
    limit 1;
    if looked.ends_at > clock_timestamp() then
        raise exception 'closing % is open to units until %: it is published after that', looked.closing_id,
            to_char(looked.ends_at at time zone mart.city_zone(), 'YYYY-MM-DD HH24:MI');
    end if;
    if looked.closing_id is not null
        and not exists (select from assess.feedback as told where told.closing_id = new.closing_id)
    then
        raise exception 'units looked at closing %, not at closing %: open that to them, too', looked.closing_id,
            new.closing_id;
    end if;
    return new;
end
$$;
create trigger units_have_looked before insert on publish.release
for each row execute function publish.refuse_while_units_look();

create function publish.feedback_of(of_release bigint)
returns table (opened_at timestamptz, ends_at timestamptz, remarks bigint, unanswered bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        min(told.opened_at),
        max(told.ends_at),
        count(remark.remark_id),
        count(remark.remark_id) filter (where answer.remark_id is null or answer.answered_at > release.published_at)
    from publish.release
    inner join publish.closing
        on
            release.scheme_id = closing.scheme_id
            and release.period = closing.period
            and release.revision = closing.revision
            and closing.closing_id <= release.closing_id
    inner join assess.feedback as told on closing.closing_id = told.closing_id
    left join assess.remark on told.closing_id = remark.closing_id
    left join assess.remark_answer as answer on remark.remark_id = answer.remark_id
    where release.release_id = of_release
    group by release.release_id
$$;
comment on function publish.feedback_of is
'Whether units looked before a release, how many remarks they made, how many were unanswered when it was published.';

revoke execute on function
publish.opened_rows, publish.is_closed_again, publish.feedback_of, publish.refuse_while_units_look,
assess.open_feedback, assess.remark, assess.answer_remark, assess.opened_rests_on_point
from public;
grant execute on function assess.open_feedback, assess.answer_remark to minhu_evaluator;
grant execute on function publish.opened_rows, publish.is_closed_again
to minhu_evaluator, minhu_auditor, minhu_unit;
grant execute on function assess.remark, assess.opened_rests_on_point to minhu_unit;
grant execute on function publish.feedback_of to minhu_evaluator, minhu_auditor, minhu_unit, minhu_bi, minhu_work;
