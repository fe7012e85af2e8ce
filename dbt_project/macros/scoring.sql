{#
    What the driver says of the scheme of a run, minhu/schemes/counting.py, as jsonb: {timezone, peer_groups: [code,
    ...], counts: [...]}. A scheme that nobody has put into force, as a what-if gives one, is told like any other.
#}
{% macro told_of_the_scheme() -%}
    {%- if var('counting', '') -%}
    convert_from(decode('{{ var("counting") }}', 'base64'), 'UTF8')::jsonb
    {%- else -%}
    '{"peer_groups": [], "counts": []}'::jsonb
    {%- endif -%}
{%- endmacro %}

{# Whether the period is the mean of shorter ones, and not computed from its own rows. #}
{% macro is_mean_of_parts() -%}
    {{ 'true' if var('parts', []) else 'false' }}
{%- endmacro %}

{#
    From when on rows are looked at: the beginning of the period; of what counts more when it happens again, that of its
    month, quarter or year.
#}
{% macro counted_since(indicators) -%}
    case
        when {{ indicators }}.repeated_within is null then {{ indicators }}.starts_at
        else
            date_trunc({{ indicators }}.repeated_within, {{ indicators }}.starts_at at time zone '{{ var("timezone") }}')
            at time zone '{{ var("timezone") }}'
    end
{%- endmacro %}

{#
    Whether the case of a row is among those that an indicator asks for (`facts`, `categories`, `areas`: the case and its
    places in the trees). Of the codes of one key any will do; who does not say that he stays unnamed does not ask for it.
#}
{% macro is_asked_for(only) -%}
    (
        {%- for key, column in [
            ('feeds', 'feed_code'), ('channels', 'channel'), ('request_types', 'request_type'),
            ('urgencies', 'urgency'), ('dispatch_sources', 'dispatch_source')
        ] %}
        coalesce({{ only }} -> '{{ key }}' ? facts.{{ column }}, {{ only }} -> '{{ key }}' is null)
        and
        {%- endfor %}
        coalesce(
            {{ only }} -> 'categories' ?| array[
                facts.category_code, categories.level_1_code, categories.level_2_code, categories.level_3_code,
                categories.level_4_code, categories.level_5_code
            ],
            {{ only }} -> 'categories' is null
        )
        and coalesce(
            {{ only }} -> 'areas' ?| array[
                facts.area_code, areas.city_code, areas.district_code, areas.town_code, areas.village_code,
                areas.grid_code
            ],
            {{ only }} -> 'areas' is null
        )
        and coalesce(
            ({{ only }} ->> 'confidential')::boolean = coalesce(facts.is_confidential, false), true
        )
    )
{%- endmacro %}
