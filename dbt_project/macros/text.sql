{#
    Texts compared letter by letter. Collation "C" everywhere: what comes out depends on no locale and no setting of the
    server, unlike pg_trgm, which also finds little in Chinese (docs/facts.md).
#}

{# One spelling: full-width signs as ASCII, capital letters small. #}
{% macro even_spelling(text) -%}
    lower(normalize({{ text }}, nfkc) collate "C")
{%- endmacro %}

{# Chinese characters, small letters and digits; nothing else. Of evened spelling. #}
{% macro letters_of(text) -%}
    regexp_replace({{ text }}, '[^0-9a-z\u3400-\u4dbf\u4e00-\u9fff]', '', 'g')
{%- endmacro %}

{# The characters of a text, each once, in an order that no locale decides. #}
{% macro each_letter(text) -%}
    (
        select coalesce(string_agg(distinct letter.letter collate "C", ''), '')
        from unnest(string_to_array({{ text }}, null)) as letter (letter)
    )
{%- endmacro %}

{# Of evened spelling: without numbers that were masked, all of which look alike. #}
{% macro without_masks(text) -%}
    regexp_replace({{ text }}, '[0-9a-z]*[*][0-9a-z*]*', '', 'g')
{%- endmacro %}

{# Whether two numbers are a position on the earth, and not one rounded to whole degrees. #}
{% macro is_position(longitude, latitude) -%}
    (
        abs({{ longitude }}) <= 180 and abs({{ latitude }}) <= 90
        and ({{ longitude }} <> round({{ longitude }}) or {{ latitude }} <> round({{ latitude }}))
    )
{%- endmacro %}

{# Metres between two positions a city apart or less. #}
{% macro metres_between(one, other) -%}
    (
        111195 * sqrt(
            ({{ one }}.latitude - {{ other }}.latitude) ^ 2
            + (({{ one }}.longitude - {{ other }}.longitude) * cos(radians({{ one }}.latitude))) ^ 2
        )
    )
{%- endmacro %}
