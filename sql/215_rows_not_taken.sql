-- A delivery may take only some of a file's rows (`only` of its declaration): the others are counted, so that the
-- account of the file still adds up to what it held. What the sender does not have stands beside it, as it was declared
-- when the batch was loaded: no gate misses it.
alter table audit.batch add column filtered_rows bigint not null default 0;
alter table audit.batch add column has_no text [] not null default '{}';
alter table audit.batch drop constraint every_row_is_accounted_for;
alter table audit.batch add constraint every_row_is_accounted_for
check (status = 'refused' or received_rows = staged_rows + rejected_rows + duplicate_rows + filtered_rows);
comment on column audit.batch.filtered_rows is
'Rows of the file that are not this delivery''s, by the conditions of its declaration.';
comment on column audit.batch.has_no is
'Columns of the canonical layout that the sender does not have, as declared when the batch was loaded.';
