-- One warehouse, one key of caller tokens that writes, however many homes load into it: under two keys one caller would
-- be two. Homes say which keys they hold and where they land files; a load under another key, or into another landing
-- zone, is refused. Keys themselves are never in the database.
create table restricted.known_key (
    use text not null check (use in ('caller', 'record')),
    key_id text not null check (key_id ~ '^[0-9a-f]{8}$'),
    state text not null check (state in ('pending', 'writing', 'retired')),
    since timestamptz not null default now(),
    primary key (use, key_id)
);
create unique index known_key_one_of_a_state on restricted.known_key (use, state) where state <> 'retired';
comment on table restricted.known_key is
'来电人令牌与散列编号所用密钥的编号：只有一把写入（writing），轮换前先登记（pending），换下的（retired）仍用于识别';

create table restricted.home (
    home_id text primary key,
    told text not null,
    zone_id text not null,
    zone text not null,
    since timestamptz not null default now(),
    seen_at timestamptz not null default now()
);
comment on table restricted.home is '向本仓库接入数据的安装（MINHU_HOME）：所在机器与目录、落地区、何时起、最近一次（精确到小时）';

create table restricted.key_holder (
    home_id text not null references restricted.home on delete cascade,
    use text not null,
    key_id text not null,
    primary key (home_id, use, key_id),
    foreign key (use, key_id) references restricted.known_key on delete cascade
);
comment on table restricted.key_holder is '哪个安装持有哪把已登记的密钥';

-- What was there before: the key of the newest tokens writes, the others recognise.
insert into restricted.known_key (use, key_id, state)
select
    'caller',
    key_id,
    case when row_number() over (order by max(batch_id) desc) = 1 then 'writing' else 'retired' end
from (
    select
        caller_key_id as key_id,
        max(batch_id) as batch_id
    from staging.case_record
    where caller_key_id is not null
    group by caller_key_id
    union all
    select
        earlier_key_id,
        0
    from restricted.caller_link
    group by earlier_key_id
) as found
group by key_id;

-- A key changes its state by the hand of the owner alone; a first load registers the first one.
revoke update, delete on restricted.known_key from minhu_work;

-- Keys that leave a home stand in the access log.
do $$
declare
    told text := (
        select pg_get_constraintdef(oid) from pg_constraint
        where conrelid = 'audit.access_log'::regclass and conname = 'access_log_subject_check'
    );
    mended text := replace(told, 'ARRAY[', 'ARRAY[''key_export''::text, ');
begin
    if mended is not distinct from told then
        raise exception 'the subjects of the access log are not told as this migration knows them';
    end if;
    alter table audit.access_log drop constraint access_log_subject_check;
    execute 'alter table audit.access_log add constraint access_log_subject_check ' || mended;
end
$$;
