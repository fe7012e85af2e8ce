{# The key of a unit as the register had it from a day on. #}
{% macro unit_key(unit_code, valid_from) -%}
    md5({{ unit_code }} || '|' || {{ valid_from }}::text)
{%- endmacro %}

{# The key of a case: the feed that owns its number, and the number. #}
{% macro case_id(feed_code, case_no) -%}
    md5({{ feed_code }} || '|' || {{ case_no }})
{%- endmacro %}
