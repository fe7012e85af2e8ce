{# The entries of one kind in force at this run's config_version: columns key, data (jsonb). #}
{% macro config_entries(kind) -%}
    (
        select
            key,
            data
        from {{ source('config', 'entry') }}
        where
            kind = '{{ kind }}'
            and since_version <= {{ var('config_version') }}
            and (until_version is null or until_version > {{ var('config_version') }})
    )
{%- endmacro %}
