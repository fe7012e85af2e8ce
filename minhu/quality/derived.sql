-- Measures of the judged batches that are themselves comparisons with earlier ones (table peer): how far the spread
-- over codes and hours has moved, by how many hours a clock seems to be off, and the fewest rows of late.
--
-- A shift is the share of rows, in points, that would have to change their code to look like the peers together, less
-- what chance alone gives for samples of these sizes; events of one case come together, so of units, event types and of
-- hours of anything but cases twice that. Thirty rows at least, against a hundred.
with now_told as (
    select
        told.batch_id,
        told.dimension,
        told.row_count,
        code.key as code,
        cast(code.value as numeric) / told.row_count as share
    from audit.batch_distribution as told
    cross join lateral jsonb_each_text(told.codes) as code
    where told.batch_id = any(%(batches)s) and told.row_count >= 30
),

past_counted as (
    select
        peer.batch_id,
        told.dimension,
        code.key as code,
        sum(cast(code.value as numeric)) as row_count
    from peer
    inner join audit.batch_distribution as told on peer.past_batch_id = told.batch_id
    cross join lateral jsonb_each_text(told.codes) as code
    where peer.is_seasonal
    group by peer.batch_id, told.dimension, code.key
),

size as (
    select
        now_told.batch_id,
        now_told.dimension,
        now_told.row_count as now_rows,
        sum(past_counted.row_count) as past_rows
    from (
        select distinct
            batch_id,
            dimension,
            row_count
        from now_told
    ) as now_told
    inner join past_counted
        on now_told.batch_id = past_counted.batch_id and now_told.dimension = past_counted.dimension
    group by now_told.batch_id, now_told.dimension, now_told.row_count
    having sum(past_counted.row_count) >= 100
),

side as (
    select
        batch_id,
        dimension,
        code,
        share as now_share,
        0 as past_share
    from now_told
    union all
    select
        past_counted.batch_id,
        past_counted.dimension,
        past_counted.code,
        0,
        past_counted.row_count / size.past_rows
    from past_counted
    inner join size on past_counted.batch_id = size.batch_id and past_counted.dimension = size.dimension
),

compared as (
    select
        batch_id,
        dimension,
        code,
        sum(now_share) as now_share,
        sum(past_share) as past_share
    from side
    group by batch_id, dimension, code
),

-- half the sum of differences; by chance a share p of n and N rows differs by sqrt(2/pi * p * (1 - p) * (1/n + 1/N))
shifted as (
    select
        compared.batch_id,
        compared.dimension,
        sum(abs(compared.now_share - compared.past_share)) / 2 as moved,
        sum(sqrt(
            0.6366 * compared.past_share * (1 - compared.past_share) * (1.0 / size.now_rows + 1.0 / size.past_rows)
        )) / 2 * case
            when compared.dimension in ('unit', 'event_type') or (compared.dimension = 'hour' and batch.kind <> 'case')
                then 2
            else 1
        end as by_chance
    from compared
    inner join size on compared.batch_id = size.batch_id and compared.dimension = size.dimension
    inner join audit.batch on compared.batch_id = batch.batch_id
    group by compared.batch_id, compared.dimension, batch.kind
),

-- the spread over hours with the clock set back by each number of hours; the best fit tells by how much it is off
of_hours as (
    select
        compared.batch_id,
        jsonb_object_agg(compared.code, compared.now_share) as now_shares,
        jsonb_object_agg(compared.code, compared.past_share) as past_shares
    from compared
    inner join size on compared.batch_id = size.batch_id and compared.dimension = size.dimension
    where compared.dimension = 'hour' and size.now_rows >= 50
    group by compared.batch_id
),

turned as (
    select
        of_hours.batch_id,
        step.hours,
        sum(abs(
            coalesce(cast(of_hours.now_shares ->> lpad(cast(clock.hour as text), 2, '0') as numeric), 0)
            - coalesce(cast(
                of_hours.past_shares ->> lpad(cast(mod(clock.hour - step.hours + 24, 24) as text), 2, '0') as numeric
            ), 0)
        )) / 2 as moved
    from of_hours
    cross join generate_series(0, 23) as clock (hour)
    cross join generate_series(-12, 12) as step (hours)
    group by of_hours.batch_id, step.hours
),

best_fit as (
    select distinct on (batch_id)
        batch_id,
        hours,
        moved
    from turned
    order by batch_id, moved, abs(hours)
),

clock as (
    select
        best_fit.batch_id,
        case
            when
                as_told.moved >= 0.2
                and as_told.moved - best_fit.moved >= 0.15
                and shifted.moved - shifted.by_chance >= 0.1
                then best_fit.hours
            else 0
        end as hours
    from best_fit
    inner join turned as as_told on best_fit.batch_id = as_told.batch_id and as_told.hours = 0
    inner join shifted on best_fit.batch_id = shifted.batch_id and shifted.dimension = 'hour'
),

least as (
    select
        peer.batch_id,
        min(profile.value) as least_rows
    from peer
    inner join audit.batch_profile as profile
        on peer.past_batch_id = profile.batch_id and profile.metric = 'staged_rows'
    where not peer.is_seasonal
    group by peer.batch_id
    having count(*) >= 10
),

measured as (
    select
        batch_id,
        dimension || '_shift_pct' as metric,
        round(100 * greatest(moved - by_chance, 0), 2) as value
    from shifted
    union all
    select
        batch_id,
        'clock_moved_hours',
        hours
    from clock
    union all
    select
        batch_id,
        'least_rows',
        least_rows
    from least
)

insert into audit.batch_profile (batch_id, metric, value)
select
    batch_id,
    metric,
    value
from measured;
