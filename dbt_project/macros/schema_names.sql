{#
    A model's schema is the one it names, not a prefix of the profile's. Where a release is recomputed, all models go into
    one scratch schema and leave build and mart alone.
#}
{% macro generate_schema_name(custom_schema_name, node) -%}
    {{ (var('scratch') or custom_schema_name or target.schema) | trim }}
{%- endmacro %}
