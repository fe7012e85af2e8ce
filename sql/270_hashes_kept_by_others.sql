-- The hashes of what was published go to people outside, who keep them: who runs the warehouse could write every hash
-- in it anew, but not what others hold. Here stands who was sent what, and what a time-stamping authority answered.
create table publish.anchor_delivery (
    delivery_id bigint generated always as identity primary key,
    release_id bigint not null references publish.release,
    witness text,
    kept_by text,
    kind text not null check (kind in ('mail', 'webhook', 'timestamp', 'unwitnessed')),
    sent_to text,
    line text,
    outcome text not null check (outcome in ('delivered', 'failed', 'without')),
    detail text,
    receipt bytea,
    recorded_by text not null,
    recorded_at timestamptz not null default clock_timestamp(),
    constraint a_witness_has_a_name_and_a_keeper check ((kind = 'unwitnessed') = (witness is null or kept_by is null)),
    constraint without_a_witness_there_is_a_reason
    check (
        (kind = 'unwitnessed') = (outcome = 'without')
        and (kind <> 'unwitnessed' or btrim(coalesce(detail, '')) <> '')
    ),
    constraint what_was_sent_is_told check ((kind = 'unwitnessed') = (line is null))
);
create index anchor_delivery_release on publish.anchor_delivery (release_id);
comment on table publish.anchor_delivery is '锚点送达：每次发布的哈希送给了哪些外部见证，何时，成否；只增不改';
comment on column publish.anchor_delivery.witness is
'Name of the witness in city.yml; null: published without one, detail says why.';
comment on column publish.anchor_delivery.kept_by is 'Who keeps what was sent, as city.yml said it then.';
comment on column publish.anchor_delivery.line is
'What was sent: publish.anchor_of(release_id), as it read at that moment.';
comment on column publish.anchor_delivery.receipt is 'Of a time-stamping authority (RFC 3161): its answer, in DER.';
create trigger stamp before insert on publish.anchor_delivery
for each row execute function assess.stamp('recorded_by', 'recorded_at');
create trigger append_only before update or delete or truncate on publish.anchor_delivery
for each statement execute function publish.refuse_change();
grant select on publish.anchor_delivery to minhu_evaluator, minhu_auditor;
-- Whom to ask for a copy is for everybody; addresses and errors are not.
grant select (delivery_id, release_id, witness, kept_by, kind, line, outcome, receipt, recorded_at)
on publish.anchor_delivery to minhu_bi, minhu_unit;

-- One line: of which city, scheme, period and revision, the hash of the release (through its chain of every one before
-- it), and the end of the access log when it was published. Null while the log's row is not sealed; - before the log
-- knew of publications.
create function publish.anchor_of(of_release bigint) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select
        'minhu-anchor 1 ' || configured.city || ' ' || told.scheme_id || ' ' || told.period || ' r' || told.revision
        || ' ' || told.hash || ' '
        || case when logged.access_id is null then '-' else logged.access_id || ':' || logged.hash end
    from publish.release as told
    inner join config.version as configured on told.config_version = configured.config_version
    left join audit.access_log as logged on logged.subject = 'publication' and logged.act_id = told.release_id
    where told.release_id = of_release
$$;
comment on function publish.anchor_of is 'What is sent to witnesses of a release.';

-- Why it was published though no witness could be reached, for every reader.
create function publish.unwitnessed(of_release bigint) returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select told.detail
    from publish.anchor_delivery as told
    where told.release_id = of_release and told.kind = 'unwitnessed'
    order by told.delivery_id
    limit 1
$$;
comment on function publish.unwitnessed is
'Why a release was published without a witness outside; null where there was one.';

create index access_log_publication on audit.access_log (act_id) where subject = 'publication';

create function publish.record_delivery(
    release_id bigint,
    kind text,
    outcome text,
    line text default null,
    witness text default null,
    kept_by text default null,
    sent_to text default null,
    detail text default null,
    receipt bytea default null
) returns bigint
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    written bigint;
begin
    if record_delivery.line is not null
        and record_delivery.line is distinct from publish.anchor_of(record_delivery.release_id)
    then
        raise exception 'release % has another anchor than the one that was sent', record_delivery.release_id;
    end if;
    insert into publish.anchor_delivery (
        release_id, witness, kept_by, kind, sent_to, line, outcome, detail, receipt
    )
    values (
        record_delivery.release_id, record_delivery.witness, record_delivery.kept_by, record_delivery.kind,
        record_delivery.sent_to, record_delivery.line, record_delivery.outcome, record_delivery.detail,
        record_delivery.receipt
    )
    returning delivery_id into written;
    return written;
end
$$;
comment on function publish.record_delivery is 'Records that a witness was sent the anchor of a release, or was not.';

revoke execute on function publish.anchor_of, publish.unwitnessed, publish.record_delivery from public;
grant execute on function publish.anchor_of, publish.unwitnessed
to minhu_bi, minhu_unit, minhu_evaluator, minhu_auditor, minhu_work, minhu_engineer;
grant execute on function publish.record_delivery to minhu_evaluator, minhu_work;
grant execute on function publish.key_of_approval, publish.links_of to minhu_work, minhu_engineer;
