-- What becomes of the dispatches of a matter beside each other, where it was given to a lead more than once: which of
-- them open a duty and which only tell a unit again what it has, when a duty ends because another takes its place,
-- when one hotline's word takes over from another's. One row per dispatch that this changes something for, or may.
--
-- Everything of a matter is put in one order first; from then on its places are compared and no times. Only the
-- readings of edition 2 know of it: of edition 1 every dispatch opens a duty and only a return or an end of the case
-- ends one.
{%- set is_open -%}
coalesce(max(states.place) filter (where states.kind = 'closed'), 0)
< coalesce(max(states.place) filter (where states.kind <> 'closed'), 0)
{%- endset %}

with several as (
    select root_case_id
    from {{ ref('int_assignment__told') }}
    where unit_role = 'lead'
    group by root_case_id
    having count(*) > 1 and max(edition) > 1
),

leads as (
    select
        told.assignment_id,
        told.root_case_id,
        coalesce(told.unit_ref, 'nobody|' || told.assignment_id) as holder,
        told.opened_by,
        told.round,
        told.edition,
        told.dispatched_at,
        told.opening_rank,
        cases.feed_code as hotline,
        told.opened_by = 'REDISPATCH'
        or (told.opened_by = 'DISPATCH' and coalesce(feeds.another_lead = 'replaces', false)) as is_replacing
    from {{ ref('int_assignment__told') }} as told
    inner join several on told.root_case_id = several.root_case_id
    inner join {{ ref('int_case__rooted') }} as cases on told.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    where told.unit_role = 'lead'
),

deeds as (
    select
        placed.event_id,
        placed.event_type,
        placed.told_id,
        leads.root_case_id,
        leads.holder,
        cases.feed_code as hotline,
        greatest(placed.counted_at, leads.dispatched_at) as counted_at,
        case
            when placed.counted_at < leads.dispatched_at then greatest(placed.counted_rank, leads.opening_rank)
            else placed.counted_rank
        end as counted_rank,
        bool_or(placed.event_type = 'DESIGNATE') over before_it as is_designated
    from {{ ref('int_event__placed') }} as placed
    inner join leads on placed.told_id = leads.assignment_id
    inner join {{ ref('int_case__rooted') }} as cases on placed.case_id = cases.case_id
    cross join {{ ref('stg_city') }} as city
    where placed.counted_at >= leads.dispatched_at - city.clock_tolerance
    -- up to the second of the designation a return is valid
    window before_it as (
        partition by placed.told_id order by placed.occurred_at
        range between unbounded preceding and interval '1 microsecond' preceding
    )
),

moments as (
    select
        told.*,
        row_number() over (
            partition by told.root_case_id
            order by told.counted_at asc, told.counted_rank asc, told.kind = 'given' desc, told.id
        ) as place
    from (
        select
            'given' as kind,
            assignment_id as id,
            root_case_id,
            holder,
            hotline,
            dispatched_at as counted_at,
            opening_rank::numeric as counted_rank
        from leads
        union all
        select
            case
                when event_type = 'CLOSE' then 'closed'
                when event_type = 'REVIEW_BACK' then 'reopened'
                when event_type = 'RETURN_GRANT' then 'returned'
                else 'did'
            end as kind,
            event_id,
            root_case_id,
            holder,
            hotline,
            counted_at,
            counted_rank
        from deeds
        where
            event_type in ('CLOSE', 'REVIEW_BACK', 'SIGN', 'FIRST_CONTACT', 'RETURN_REQUEST', 'EXTEND_REQUEST')
            or (event_type = 'RETURN_GRANT' and not coalesce(is_designated, false))
        union all
        select
            'case_ended' as kind,
            events.event_id,
            events.root_case_id,
            null as holder,
            null as hotline,
            events.occurred_at,
            events.event_rank
        from {{ ref('int_event__winning') }} as events
        inner join several on events.root_case_id = several.root_case_id
        where events.event_type in ('MERGE', 'TERMINATE', 'TRANSFER_EMERGENCY', 'REJECT_INTAKE')
    ) as told
),

-- Each dispatch with its place, and whether a return was granted since its hotline gave the case to a lead before.
first_given as (
    select
        leads.*,
        moments.place,
        told.kind_before = 'returned' as is_answer
    from leads
    inner join moments on leads.assignment_id = moments.id and moments.kind = 'given'  -- noqa: AL04
    inner join (  -- noqa: ST05
        select
            id,
            kind,
            coalesce(lag(kind) over (partition by root_case_id, hotline order by place), '') as kind_before
        from moments
        where kind in ('given', 'returned')
    ) as told
        on leads.assignment_id = told.id and told.kind = 'given'
),

-- A return that was granted after a redispatch had taken that duty's place is answered by it: the next one answers it
-- not.
answered as (
    select distinct moments.id
    from moments
    inner join first_given as returned
        on
            moments.root_case_id = returned.root_case_id
            and moments.holder = returned.holder
            and moments.hotline = returned.hotline
            and moments.place > returned.place
    inner join first_given as replacing
        on
            moments.root_case_id = replacing.root_case_id
            and moments.hotline = replacing.hotline
            and moments.holder <> replacing.holder
            and replacing.is_replacing
            and not replacing.is_answer
            and replacing.place between returned.place and moments.place
    left join first_given as between_them
        on
            moments.root_case_id = between_them.root_case_id
            and moments.holder = between_them.holder
            and between_them.place between replacing.place and moments.place
    where moments.kind = 'returned' and between_them.assignment_id is null
),

given as (
    select
        first_given.assignment_id,
        first_given.root_case_id,
        first_given.holder,
        first_given.opened_by,
        first_given.round,
        first_given.edition,
        first_given.hotline,
        first_given.is_replacing,
        first_given.place,
        told.kind_before = 'returned' as is_answer
    from first_given
    inner join (  -- noqa: ST05
        select
            moments.id,
            moments.kind,
            coalesce(
                lag(moments.kind) over (partition by moments.root_case_id, moments.hotline order by moments.place), ''
            ) as kind_before
        from moments
        left join answered on moments.id = answered.id
        where moments.kind = 'given' or (moments.kind = 'returned' and answered.id is null)
    ) as told
        on first_given.assignment_id = told.id and told.kind = 'given'
),

-- Whether what a unit had was closed when it was given the case again: then that is a duty of its own, as rework is.
states as (
    select
        id,
        root_case_id,
        holder,
        place,
        kind,
        lag(kind) over (partition by root_case_id, holder order by place) as kind_before
    from moments
    where kind in ('given', 'closed', 'reopened')
),

spells as (
    select
        given.*,
        count(*) filter (where begins.is_anew) over (
            partition by given.root_case_id, given.holder order by given.place
        ) as spell,
        begins.is_anew
    from given
    inner join states on given.assignment_id = states.id and states.kind = 'given'
    cross join
        lateral (  -- noqa: ST05
            select
                given.opened_by = 'REWORK'
                or coalesce(states.kind_before = 'closed', true) as is_anew
        ) as begins
),

bounded as (
    select
        *,
        min(place) filter (where is_anew) over (
            partition by root_case_id, holder order by place rows between 1 following and unbounded following
        ) as next_spell_place,
        first_value(hotline) over (partition by root_case_id, holder, spell order by place) as first_hotline
    from spells
),

-- Whose word a granted return takes back: that of the hotline under whose number it was granted, if it had told the
-- unit of that duty.
returns as (
    select
        returned.id,
        returned.root_case_id,
        returned.holder,
        returned.place,
        coalesce(
            max(before.hotline) filter (where before.hotline = returned.hotline), min(before.first_hotline)
        ) as hotline
    from moments as returned
    inner join bounded as before
        on
            returned.root_case_id = before.root_case_id
            and returned.holder = before.holder
            and returned.place > before.place
            and (before.next_spell_place is null or returned.place < before.next_spell_place)
    where returned.kind = 'returned'
    group by returned.id, returned.root_case_id, returned.holder, returned.place
),

-- What may end a word: a return, an end of the case, a redispatch to another. Rework is looked at after these, for of
-- whom it speaks depends on them.
first_ends as (
    select
        bounded.assignment_id,
        ends.place,
        ends.kind,
        ends.by_assignment_id
    from bounded
    inner join
        (  -- noqa: ST05
            select
                root_case_id,
                holder,
                null as except_holder,
                hotline,
                place,
                'returned' as kind,
                null as by_assignment_id
            from returns
            union all
            select
                root_case_id,
                null as holder,
                null as except_holder,
                null as hotline,
                place,
                'case_ended' as kind,
                null as by_assignment_id
            from moments
            where kind = 'case_ended'
            union all
            select
                root_case_id,
                null as holder,
                holder as except_holder,
                hotline,
                place,
                'replaced' as kind,
                assignment_id as by_assignment_id
            from given
            where is_replacing and not is_answer
        ) as ends
        on
            bounded.root_case_id = ends.root_case_id
            and bounded.place < ends.place
            and (bounded.next_spell_place is null or bounded.next_spell_place > ends.place)
            and (ends.holder is null or bounded.holder = ends.holder)
            and (ends.hotline is null or bounded.hotline = ends.hotline)
            and (ends.except_holder is null or bounded.holder <> ends.except_holder)
            and (bounded.edition > 1 or ends.kind <> 'replaced')
),

-- What is closed stays as it is, whoever is given the case next and whatever ends it. A return voids it all the same.
open_ends as (
    select
        first_ends.*,
        {{ is_open }} as is_open
    from first_ends
    inner join bounded on first_ends.assignment_id = bounded.assignment_id
    inner join states
        on
            bounded.root_case_id = states.root_case_id
            and bounded.holder = states.holder
            and first_ends.place > states.place
    group by first_ends.assignment_id, first_ends.place, first_ends.kind, first_ends.by_assignment_id
),

ended_first as (
    select distinct on (assignment_id) *
    from open_ends
    where is_open or kind = 'returned'
    order by assignment_id asc, place asc
),

-- Rework speaks of the lead of the round before it: of the unit that it goes to, if that was one, else of who had it
-- last.
reworks as (
    select distinct on (rework.assignment_id)
        rework.assignment_id as by_assignment_id,
        rework.root_case_id,
        rework.holder as goes_to,
        rework.place,
        spoken_of.holder
    from given as rework
    inner join given as spoken_of
        on rework.root_case_id = spoken_of.root_case_id and rework.place > spoken_of.place
    left join ended_first on spoken_of.assignment_id = ended_first.assignment_id
    where rework.opened_by = 'REWORK' and (ended_first.place is null or ended_first.place > rework.place)
    order by
        rework.assignment_id asc,
        spoken_of.round desc,
        (rework.holder = spoken_of.holder) desc,
        spoken_of.place desc
),

-- The end of every word: the first of all, the next rework of the unit itself among them.
ended as (
    select distinct on (assignment_id) *
    from (
        select
            assignment_id,
            place,
            kind,
            by_assignment_id,
            is_open
        from ended_first
        union all
        select
            bounded.assignment_id,
            reworks.place,
            'replaced' as kind,
            reworks.by_assignment_id,
            {{ is_open }} as is_open
        from bounded
        inner join reworks
            on
                bounded.root_case_id = reworks.root_case_id
                and bounded.holder in (reworks.holder, reworks.goes_to)
                and bounded.place < reworks.place
                and (bounded.next_spell_place is null or bounded.next_spell_place >= reworks.place)
        inner join states
            on
                bounded.root_case_id = states.root_case_id
                and bounded.holder = states.holder
                and reworks.place > states.place
        where bounded.edition > 1
        group by bounded.assignment_id, reworks.place, reworks.by_assignment_id
    ) as ends
    order by assignment_id asc, place asc
),

-- The words of one hotline up to one end are one word, told first by the first of them. Under edition 1 each is its
-- own.
words as (
    select
        bounded.assignment_id,
        bounded.root_case_id,
        bounded.holder,
        bounded.hotline,
        bounded.spell,
        bounded.edition,
        bounded.place,
        bounded.next_spell_place,
        ended.place as end_place,
        ended.kind as end_kind,
        ended.is_open as is_open_at_end,
        ended.by_assignment_id,
        row_number() over (
            partition by
                bounded.root_case_id, bounded.holder, bounded.spell, bounded.hotline, ended.place,
                case when bounded.edition = 1 then bounded.assignment_id end
            order by bounded.place
        ) = 1 as is_first
    from bounded
    left join ended on bounded.assignment_id = ended.assignment_id
),

-- A word that holds longer than all before it opens a duty: at once if none of those holds any more, else when the
-- last of them falls.
covered as (
    select
        *,
        max(coalesce(end_place, next_spell_place, 2147483647)) over before_it as held_until,
        coalesce(end_place, next_spell_place, 2147483647) as holds_until
    from words
    where is_first
    window before_it as (
        partition by root_case_id, holder, spell
        order by place
        rows between unbounded preceding and 1 preceding
    )
),

opened as (
    select
        covered.*,
        case
            when covered.edition = 1 or covered.held_until is null or covered.held_until < covered.place
                then covered.place
            when covered.holds_until > covered.held_until and fallen.is_open then covered.held_until
        end as opened_place
    from covered
    left join (  -- noqa: ST05
        select distinct on (root_case_id, holder, end_place)
            root_case_id,
            holder,
            end_place,
            is_open_at_end as is_open
        from words
        where end_place is not null
        order by root_case_id asc, holder asc, end_place asc
    ) as fallen
        on
            covered.root_case_id = fallen.root_case_id
            and covered.holder = fallen.holder
            and covered.held_until = fallen.end_place
),

-- One row per dispatch: the duty that it opens, or null and the one that it tells again.
duties as (
    select
        words.assignment_id,
        words.root_case_id,
        words.holder,
        words.hotline,
        words.edition,
        words.place,
        opened.opened_place,
        lead(opened.opened_place) over of_holder as next_opened_place,
        opened.opened_place > words.place as is_taken_over,
        words.end_place,
        words.end_kind,
        words.by_assignment_id
    from words
    left join opened on words.assignment_id = opened.assignment_id
    window of_holder as (
        partition by words.root_case_id, words.holder, opened.opened_place is null order by opened.opened_place
    )
),

-- A return voids the duty that its hotline's word had opened, also one that another took the place of.
voids as (
    select
        duties.assignment_id,
        min(returns.place) as place
    from duties
    inner join returns
        on
            duties.root_case_id = returns.root_case_id
            and duties.holder = returns.holder
            and duties.hotline = returns.hotline
            and duties.opened_place < returns.place
            and (duties.next_opened_place is null or duties.next_opened_place >= returns.place)
    where duties.opened_place is not null
    group by duties.assignment_id
),

-- What took a duty's place is a duty, also where that dispatch only told its unit again.
replacing as (
    select distinct on (duties.assignment_id)
        duties.assignment_id,
        taking.assignment_id as superseded_by
    from duties
    inner join duties as told on duties.by_assignment_id = told.assignment_id
    inner join duties as taking
        on
            told.root_case_id = taking.root_case_id
            and told.holder = taking.holder
            and told.place >= taking.opened_place
    order by duties.assignment_id asc, taking.opened_place desc
),

-- A unit that did nothing since its other hotline told it begins where that hotline began.
idle as (
    select
        duties.assignment_id,
        count(moments.id) = 0 as is_idle
    from duties
    left join moments
        on
            duties.root_case_id = moments.root_case_id
            and duties.holder = moments.holder
            and moments.kind in ('did', 'closed')
            and moments.place between duties.place and duties.opened_place
    where duties.is_taken_over
    group by duties.assignment_id
),

final as (
    select
        duties.assignment_id,
        duties.root_case_id,
        duties.holder,
        duties.edition,
        own.counted_at as told_at,
        own.counted_rank as told_rank,
        duties.opened_place is not null as is_opened,
        duties.is_taken_over,
        beginning.counted_at as opened_at,
        beginning.counted_rank as opened_rank,
        case when idle.is_idle then own.counted_at else beginning.counted_at end as dispatched_at,
        case when idle.is_idle then own.counted_rank else beginning.counted_rank end as opening_rank,
        case when duties.end_kind = 'replaced' then ending.counted_at end as replaced_at,
        case when duties.end_kind = 'replaced' then ending.counted_rank end as replaced_rank,
        replacing.superseded_by,
        voiding.counted_at as returned_at
    from duties
    left join moments as beginning
        on duties.root_case_id = beginning.root_case_id and duties.opened_place = beginning.place
    left join moments as own on duties.root_case_id = own.root_case_id and duties.place = own.place
    left join moments as ending on duties.root_case_id = ending.root_case_id and duties.end_place = ending.place
    left join replacing on duties.assignment_id = replacing.assignment_id
    left join idle on duties.assignment_id = idle.assignment_id
    left join voids on duties.assignment_id = voids.assignment_id
    left join moments as voiding on duties.root_case_id = voiding.root_case_id and voids.place = voiding.place
)

select * from final
