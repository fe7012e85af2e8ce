-- The limits that bind each assignment: for signing, for the first contact and for closing, each on a clock of its own.
-- The rule in force on the day of dispatch decides, for the unit as it was then (named before it began: as it began);
-- the first rule that fits wins. A due
-- date written on the ticket goes before any rule. A feed that the configuration does not know is bound by its tickets
-- alone.
with units as (
    select
        *,
        case when valid_from > min(valid_from) over (partition by unit_code) then valid_from else '-infinity' end
            as applies_from
    from {{ ref('stg_unit') }}
),

assignments as (
    select
        opened.*,
        cases.request_type,
        cases.category_code,
        coalesce(cases.urgency, 'normal') as urgency,
        units.linkage_level,
        coalesce(units.has_24h_duty, false) as has_24h_duty,
        coalesce(feeds.limit_source, 'ticket') as limit_source,
        {{ local_date('opened.dispatched_at') }} as dispatched_on
    from {{ ref('int_assignment__opened') }} as opened
    inner join {{ ref('int_case__rooted') }} as cases on opened.dispatched_case_id = cases.case_id
    left join {{ ref('stg_feed') }} as feeds on cases.feed_code = feeds.feed_code
    left join units
        on
            opened.unit_code = units.unit_code
            and {{ local_date('opened.dispatched_at') }} >= units.applies_from
            and ({{ local_date('opened.dispatched_at') }} < units.valid_to or units.valid_to is null)
),

limits as (
    select * from {{ ref('stg_limit_rule') }}
),

declared_categories as (
    select distinct category.declared
    from limits
    cross join lateral jsonb_array_elements_text(limits.categories) as category (declared)
),

-- Of a category only the declared ones above it matter: so there are few situations, however fine the tree is.
categories as (
    select
        given.category_code,
        array_agg(declared_categories.declared order by declared_categories.declared) as within_categories
    from (select distinct category_code from assignments) as given
    inner join declared_categories on starts_with(given.category_code, declared_categories.declared)
    group by given.category_code
),

-- One key for all that a rule looks at: the planner knows how many rows a key finds, and nothing of five columns.
placed as (
    select
        assignments.*,
        categories.within_categories,
        concat_ws(
            '|', assignments.dispatched_on, assignments.urgency, coalesce(assignments.request_type, ''),
            coalesce(assignments.linkage_level::text, ''), array_to_string(categories.within_categories, ',')
        ) as situation
    from assignments
    left join categories on assignments.category_code = categories.category_code
    where assignments.limit_source = 'rules'
),

situations as (
    select distinct
        situation,
        dispatched_on,
        urgency,
        request_type,
        linkage_level,
        within_categories
    from placed
),

rules as (
    select distinct on (situations.situation, limits.limit_kind)
        situations.situation,
        limits.limit_kind,
        limits.limit_rule,
        limits.unit,
        limits.amount,
        limits.starts
    from situations
    inner join limits
        on
            situations.dispatched_on >= limits.valid_from
            and (situations.dispatched_on < limits.valid_to or limits.valid_to is null)
            and (limits.request_types is null or limits.request_types ? situations.request_type)
            and (limits.urgencies is null or limits.urgencies ? situations.urgency)
            and (limits.categories is null or limits.categories ?| situations.within_categories)
            and (
                limits.linkage_levels is null
                or limits.linkage_levels @> to_jsonb(situations.linkage_level)
            )
    order by situations.situation, limits.limit_kind, limits.rule_no, limits.limit_rule
),

spans as (
    select
        placed.assignment_id,
        rules.limit_kind,
        rules.limit_rule,
        placed.dispatched_at as from_at,
        rules.amount,
        rules.unit,
        rules.starts,
        placed.has_24h_duty
    from placed
    inner join rules on placed.situation = rules.situation
),

due as (
    select * from {{ span_ends('spans', ref('stg_calendar_day')) }} as ended
),

-- A date on the ticket is a moment: it rests on no calendar.
final as (
    select
        assignments.assignment_id,
        coalesce(assignments.ticket_sign_due_at, sign.ends_at) as sign_due_at,
        coalesce(assignments.ticket_contact_due_at, contact.ends_at) as contact_due_at,
        coalesce(assignments.ticket_due_at, closing.ends_at) as due_at,
        case when assignments.ticket_sign_due_at is null then sign.limit_rule else 'ticket' end as sign_limit_rule,
        case when assignments.ticket_contact_due_at is null then contact.limit_rule else 'ticket' end
            as contact_limit_rule,
        case when assignments.ticket_due_at is null then closing.limit_rule else 'ticket' end as limit_rule,
        coalesce(case when assignments.ticket_sign_due_at is null then sign.clock end, 'natural') as sign_clock,
        coalesce(case when assignments.ticket_contact_due_at is null then contact.clock end, 'natural')
            as contact_clock,
        coalesce(case when assignments.ticket_due_at is null then closing.clock end, 'natural') as clock,
        assignments.ticket_sign_due_at is null and coalesce(sign.is_provisional, false) as is_sign_provisional,
        assignments.ticket_contact_due_at is null and coalesce(contact.is_provisional, false)
            as is_contact_provisional,
        assignments.ticket_due_at is null and coalesce(closing.is_provisional, false) as is_provisional,
        -- the rule that fits says how the limit for closing is extended, also where the ticket set it
        closing.limit_rule as extension_rule,
        assignments.has_24h_duty
    from assignments
    left join due as sign on assignments.assignment_id = sign.assignment_id and sign.limit_kind = 'sign'
    left join due as contact on assignments.assignment_id = contact.assignment_id and contact.limit_kind = 'contact'
    left join due as closing on assignments.assignment_id = closing.assignment_id and closing.limit_kind = 'close'
)

select * from final
