{# The key of a case: the feed that owns its number, and the number. #}
{% macro case_id(feed_code, case_no) -%}
    md5({{ feed_code }} || '|' || {{ case_no }})
{%- endmacro %}
