-- What may hold a citizen's number: eleven characters at least, and no two words together. Nearly every row has codes
-- whose digits, taken together, looked like enough for a number, so that each was searched by the dear patterns.
create function audit.roomy(word text) returns text
language sql immutable parallel safe
begin atomic
    select case when length($1) > 10 then $1 end;
end;
comment on function audit.roomy(text) is 'The word where it has room for a phone or ID number, else null.';
grant execute on function audit.roomy(text) to public;

create or replace function audit.words_of(payload jsonb) returns text
language sql immutable strict parallel safe
begin atomic
    select string_agg(told.value #>> '{}', repeat(' ', 20))
    from jsonb_each($1) as told
    where jsonb_typeof(told.value) = 'string' and length(told.value #>> '{}') > 10;
end;
comment on function audit.words_of(jsonb) is
'The texts of a payload that have room for a number, far apart; not its numbers, which are declared amounts.';
