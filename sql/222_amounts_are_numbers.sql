-- A declared amount is a number of payload, and no number of a citizen's: the gate looks at words.
create function audit.words_of(payload jsonb) returns text
language sql immutable strict parallel safe
begin atomic
    select string_agg(told.value #>> '{}', ' ')
    from jsonb_each($1) as told (key, value)
    where jsonb_typeof(told.value) = 'string';
end;
comment on function audit.words_of(jsonb) is 'The texts of a payload, without its numbers, which are declared amounts.';
grant execute on function audit.words_of(jsonb) to public;
