{# Joins what a unit's name means at a moment: `names` is stg_unit_name. #}
{% macro means_at(names, name, moment) -%}
    {{ name }} = {{ names }}.unit_name
    and {{ local_date(moment) }} >= {{ names }}.valid_from
    and {{ local_date(moment) }} < {{ names }}.valid_to
{%- endmacro %}

{# Whether two lists of unit codes have one in common. #}
{% macro share_a_unit(codes, other_codes) -%}
    string_to_array({{ codes }}, ';') && string_to_array({{ other_codes }}, ';')
{%- endmacro %}
