-- What the next build has to take: accepted batches that no successful build has taken, and those it must withdraw. The
-- build chooses by it, and a period is not closed while it has rows. audit.decision_to_build is the same of decisions.
create view audit.batch_to_build as
with done as (
    select
        build_batch.batch_id,
        build_batch.action
    from audit.build_batch
    inner join audit.build on build_batch.build_id = build.build_id
    where build.status = 'succeeded'
)

select
    batch.batch_id,
    case when batch.status = 'accepted' then 'take' else 'withdraw' end as action
from audit.batch
where
    (
        batch.status = 'accepted'
        and not exists (select from done where done.batch_id = batch.batch_id and done.action = 'take')
    )
    or (
        batch.status = 'superseded'
        and exists (select from done where done.batch_id = batch.batch_id and done.action = 'take')
        and not exists (select from done where done.batch_id = batch.batch_id and done.action = 'withdraw')
    );
comment on view audit.batch_to_build is 'Batches that the next build takes or withdraws.';
