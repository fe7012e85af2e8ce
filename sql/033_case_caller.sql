-- Who called when, of the rows that builds have taken: neighbours of a case are found here. An index on staging would
-- do the same and took a fifth of a load's time.
create table restricted.case_caller (
    caller_token text not null,
    received_at timestamptz not null,
    feed_code text not null,
    case_no text not null,
    primary key (caller_token, received_at, feed_code, case_no)
);
comment on table restricted.case_caller is
'Every caller and time that any version of a case told. Builds add to it; too much in it costs a rebuild, no more.';
insert into restricted.case_caller
select distinct caller_token, received_at, feed_code, case_no
from staging.case_record
inner join audit.build_batch using (batch_id)
where caller_token is not null;
drop index staging.case_record_caller;
