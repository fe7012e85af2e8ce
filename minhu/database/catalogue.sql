-- What stands in the database of all that sql/ owns: one row for each thing, and what is said of it, in the words of
-- PostgreSQL. The login that asks is called owner, so that databases of two owners compare. Left out is what others
-- make: schema build but for its one table, the partitions of tables, the views that dbt keeps in schema mart (their
-- comment begins with `definition`) and the comments that a build writes on the columns of mart. Roles belong to the
-- cluster and should be plain groups: whatever makes one more than that has a row.
with me as (
    select oid from pg_roles
    where rolname = current_user
),

own_schema as (
    select
        oid,
        nspname as name
    from pg_namespace
    where nspname = any(%(schemas)s)
),

relation as (
    select
        rel.*,
        own_schema.name || '.' || rel.relname as name,
        case rel.relkind when 'v' then 'view' when 'S' then 'sequence' else 'table' end as kind
    from pg_class as rel
    inner join own_schema on rel.relnamespace = own_schema.oid
    where
        rel.relkind not in ('i', 'I', 't', 'c')
        and not rel.relispartition
        and (own_schema.name <> 'build' or rel.relname = 'touched_case')
        and not (
            own_schema.name = 'mart'
            and rel.relkind = 'v'
            and coalesce(obj_description(rel.oid, 'pg_class') like 'definition %%', false)
        )
),

-- Everything that can have an owner, grants or a comment of its own.
thing as (
    select
        1 as rank,
        'pg_namespace'::regclass as catalogue,
        schema.oid as id,
        0 as part,
        'schema ' || schema.nspname as name,
        '' as told,
        schema.nspowner as owner,
        coalesce(schema.nspacl, acldefault('n', schema.nspowner)) as grants
    from pg_namespace as schema
    inner join own_schema on schema.oid = own_schema.oid
    union all
    select
        2,
        'pg_class'::regclass,
        relation.oid,
        0,
        relation.kind || ' ' || relation.name,
        concat_ws(
            ', ',
            'kind ' || relation.relkind::text,
            'persistence ' || relation.relpersistence::text,
            'row security ' || relation.relrowsecurity,
            'forced ' || relation.relforcerowsecurity,
            'replica identity ' || relation.relreplident::text,
            'access method ' || method.amname,
            'with ' || array_to_string(relation.reloptions, ', '),
            'partitioned by ' || pg_get_partkeydef(relation.oid),
            'part of ' || (
                select string_agg(link.inhparent::regclass::text, ', ' order by link.inhseqno)
                from pg_inherits as link
                where link.inhrelid = relation.oid
            ),
            pg_get_expr(relation.relpartbound, relation.oid),
            (
                select
                    concat_ws(
                        ' ', counted.seqtypid::regtype, counted.seqstart, counted.seqincrement, counted.seqmin,
                        counted.seqmax, counted.seqcache, counted.seqcycle
                    )
                from pg_sequence as counted
                where counted.seqrelid = relation.oid
            ),
            case when relation.kind = 'view' then chr(10) || pg_get_viewdef(relation.oid) end
        ),
        relation.relowner,
        coalesce(
            relation.relacl,
            acldefault(
                case when relation.kind = 'sequence' then 's' else 'r' end::"char",  -- noqa: RF06
                relation.relowner
            )
        )
    from relation
    left join pg_am as method on relation.relam = method.oid
    union all
    select
        3,
        'pg_class'::regclass,
        col.attrelid,
        col.attnum,
        'column ' || relation.name || '.' || col.attname,
        concat_ws(
            ', ',
            'no. ' || row_number() over (partition by col.attrelid order by col.attnum),
            format_type(col.atttypid, col.atttypmod),
            case when col.attnotnull then 'not null' end,
            case when col.attcollation <> col_type.typcollation then 'collate ' || col.attcollation::regcollation end,
            'default ' || pg_get_expr(preset.adbin, preset.adrelid),
            'identity ' || nullif(col.attidentity::text, ''),
            'generated ' || nullif(col.attgenerated::text, ''),
            'storage ' || nullif(col.attstorage, col_type.typstorage)::text,
            'compression ' || nullif(col.attcompression::text, ''),
            'statistics ' || nullif(col.attstattarget, -1),
            array_to_string(col.attoptions, ', ')
        ),
        null,
        col.attacl
    from pg_attribute as col
    inner join relation on col.attrelid = relation.oid
    inner join pg_type as col_type on col.atttypid = col_type.oid
    left join pg_attrdef as preset on col.attrelid = preset.adrelid and col.attnum = preset.adnum
    where col.attnum > 0 and not col.attisdropped and relation.kind <> 'sequence'
    union all
    select
        4,
        'pg_constraint'::regclass,
        rule.oid,
        0,
        'constraint ' || rule.conname || ' on ' || relation.name,
        concat_ws(', ', pg_get_constraintdef(rule.oid), case when not rule.convalidated then 'not validated' end),
        null,
        null
    from pg_constraint as rule
    inner join relation on rule.conrelid = relation.oid
    union all
    select
        5,
        'pg_class'::regclass,
        idx.indexrelid,
        0,
        'index ' || named.relname || ' on ' || relation.name,
        concat_ws(
            ', ',
            pg_get_indexdef(idx.indexrelid),
            case when not idx.indisvalid then 'not valid' end,
            case when idx.indisclustered then 'clustered' end,
            case when idx.indisreplident then 'replica identity' end
        ),
        null,
        null
    from pg_index as idx
    inner join pg_class as named on idx.indexrelid = named.oid
    inner join relation on idx.indrelid = relation.oid
    union all
    select
        6,
        'pg_statistic_ext'::regclass,
        counted.oid,
        0,
        'statistics ' || counted.stxname || ' on ' || relation.name,
        concat_ws(', ', pg_get_statisticsobjdef(counted.oid), nullif(counted.stxstattarget, -1)),
        counted.stxowner,
        null
    from pg_statistic_ext as counted
    inner join relation on counted.stxrelid = relation.oid
    union all
    select
        7,
        'pg_rewrite'::regclass,
        rule.oid,
        0,
        'rule ' || rule.rulename || ' on ' || relation.name,
        pg_get_ruledef(rule.oid),
        null,
        null
    from pg_rewrite as rule
    inner join relation on rule.ev_class = relation.oid
    where rule.rulename <> '_RETURN'
    union all
    select
        8,
        'pg_proc'::regclass,
        func.oid,
        0,
        format(
            'function %%s.%%s(%%s)', own_schema.name, func.proname, pg_get_function_identity_arguments(func.oid)
        ),
        case
            when func.prokind <> 'a' then pg_get_functiondef(func.oid)
            else concat_ws(
                ', ',
                pg_get_function_result(func.oid),
                agg.aggkind,
                agg.aggtransfn::regprocedure,
                nullif(agg.aggfinalfn, 0)::regprocedure,
                nullif(agg.aggcombinefn, 0)::regprocedure,
                agg.aggtranstype::regtype,
                'starts with ' || agg.agginitval,
                'parallel ' || func.proparallel::text
            )
        end,
        func.proowner,
        coalesce(func.proacl, acldefault('f', func.proowner))
    from pg_proc as func
    inner join own_schema on func.pronamespace = own_schema.oid
    left join pg_aggregate as agg on func.oid = agg.aggfnoid
    union all
    select
        9,
        'pg_trigger'::regclass,
        trigger.oid,
        0,
        'trigger ' || trigger.tgname || ' on ' || relation.name,
        concat_ws(', ', pg_get_triggerdef(trigger.oid), 'enabled ' || trigger.tgenabled::text),
        null,
        null
    from pg_trigger as trigger
    inner join relation on trigger.tgrelid = relation.oid
    where not trigger.tgisinternal
    union all
    select
        10,
        'pg_policy'::regclass,
        policy.oid,
        0,
        'policy ' || policy.polname || ' on ' || relation.name,
        concat_ws(
            ', ',
            'for ' || policy.polcmd::text,
            case when not policy.polpermissive then 'restrictive' end,
            'to ' || (
                select
                    string_agg(
                        case listed.id when 0 then 'public' when me.oid then 'owner' else listed.id::regrole::text end,
                        ' ' order by listed.id = me.oid, listed.id::regrole::text collate "C"  -- noqa: RF02
                    )
                from unnest(policy.polroles) as listed (id)
            ),
            'using ' || pg_get_expr(policy.polqual, policy.polrelid),
            'with check ' || pg_get_expr(policy.polwithcheck, policy.polrelid)
        ),
        null,
        null
    from pg_policy as policy
    inner join relation on policy.polrelid = relation.oid
    cross join me
    union all
    select
        11,
        'pg_type'::regclass,
        kind.oid,
        0,
        'type ' || kind.oid::regtype,
        kind.typtype::text,
        kind.typowner,
        coalesce(kind.typacl, acldefault('T', kind.typowner))
    from pg_type as kind
    inner join own_schema on kind.typnamespace = own_schema.oid
    left join pg_class as rel on kind.typrelid = rel.oid
    where coalesce(rel.relkind, 'c') = 'c' and kind.typcategory <> 'A'
    union all
    select
        12,
        'pg_default_acl'::regclass,
        preset.oid,
        0,
        concat_ws(
            ' ', 'defaults of schema', own_schema.name, 'for', preset.defaclobjtype,
            'made by ' || nullif(preset.defaclrole, me.oid)::regrole
        ),
        '',
        preset.defaclrole,
        preset.defaclacl
    from pg_default_acl as preset
    inner join own_schema on preset.defaclnamespace = own_schema.oid
    cross join me
),

-- Grants are told one for each that has them, with all that it has.
granted as (
    select
        thing.name,
        item.grantee,
        string_agg(
            item.privilege_type || case when item.is_grantable then ' with grant option' else '' end,
            ', ' order by item.privilege_type
        ) as told
    from thing
    cross join lateral aclexplode(thing.grants) as item
    group by thing.name, item.grantee
)

select
    rank,
    name,
    told
from thing
union all
select
    20,
    'owner of ' || thing.name,
    case thing.owner when me.oid then 'owner' else thing.owner::regrole::text end
from thing
cross join me
where thing.owner is not null
union all
select
    21,
    'grant to '
    || case granted.grantee when 0 then 'public' when me.oid then 'owner' else granted.grantee::regrole::text end
    || ' on ' || granted.name,
    granted.told
from granted
cross join me
union all
select
    22,
    'comment on ' || thing.name,
    remark.description
from pg_description as remark
inner join thing
    on remark.classoid = thing.catalogue and remark.objoid = thing.id and remark.objsubid = thing.part
where thing.name not like 'column mart.%%'
union all
select
    23,
    'label of ' || thing.name || ' by ' || label.provider,
    label.label
from pg_seclabel as label
inner join thing
    on label.classoid = thing.catalogue and label.objoid = thing.id and label.objsubid = thing.part
union all
select
    30,
    concat_ws(' ', 'role', member.rolname, trait.told),
    ''
from pg_roles as member
inner join lateral (
    values
    (member.rolsuper, 'superuser'),
    (member.rolcanlogin, 'login'),
    (member.rolcreaterole, 'createrole'),
    (member.rolcreatedb, 'createdb'),
    (member.rolreplication, 'replication'),
    (member.rolbypassrls, 'bypassrls'),
    (not member.rolinherit, 'noinherit'),
    (member.rolconnlimit <> -1, 'connection limit'),
    (member.rolvaliduntil is not null, 'valid until'),
    (member.rolconfig is not null, 'settings'),
    (
        exists (
            select from pg_auth_members as link
            where link.member = member.oid
        ),
        'member of another role'
    )
) as trait (is_so, told) on true
where member.rolname = any(%(roles)s) and trait.is_so
order by rank, name
