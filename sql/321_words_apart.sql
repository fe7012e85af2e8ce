-- Two words that stand beside each other are not one number. Nearly every row has codes in its payload whose digits,
-- taken together, looked like enough for one, so that each was searched by the dear patterns.
create or replace function audit.words_of(payload jsonb) returns text
language sql immutable strict parallel safe
begin atomic
    select string_agg(told.value #>> '{}', repeat(' ', 20))
    from jsonb_each($1) as told
    where jsonb_typeof(told.value) = 'string';
end;
comment on function audit.words_of(jsonb) is
'The texts of a payload, far apart from each other, without its numbers, which are declared amounts.';
