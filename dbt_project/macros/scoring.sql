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
