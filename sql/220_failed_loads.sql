-- Whatever fails in a load is an attempt with a code: what was not delivered is one thing, what was not loaded another.
alter table audit.attempt
add column reason_code text,
add column reason text,
drop constraint attempt_outcome_check,
add constraint attempt_outcome_check
check (outcome in ('already_loaded', 'nothing_delivered', 'unreachable', 'failed')),
add constraint a_failure_has_a_reason check (outcome <> 'failed' or reason_code is not null);
comment on table audit.attempt is
'Loads that changed nothing: the file was loaded before, none was there, the source was out of reach, or it failed.';
comment on column audit.attempt.reason_code is
'Why it failed, by what is to be done: NOT_NOW, SOURCE_AWAY, REFUSED, BAD_DECLARATION, UNFORESEEN, or a file code.';
comment on column audit.attempt.batch_id is
'The batch that already holds the content, or the one that a replay was to stand in for.';
