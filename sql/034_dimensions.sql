-- Trees laid flat, so that a report groups by any level without a recursion of its own.
alter table mart.dim_category
    add column level_1_code text, add column level_1_name text,
    add column level_2_code text, add column level_2_name text,
    add column level_3_code text, add column level_3_name text,
    add column level_4_code text, add column level_4_name text,
    add column level_5_code text, add column level_5_name text;
alter table mart.dim_area
    add column city_code text, add column city_name text,
    add column district_code text, add column district_name text,
    add column town_code text, add column town_name text,
    add column village_code text, add column village_name text,
    add column grid_code text, add column grid_name text;

-- What became of every unit by today: renamed and merged ones lead to one unit, which is followed on; a split leads to
-- several, and there it ends. Steps are bounded, so that a register that runs in a ring still answers.
create view mart.unit_rollup as
with recursive single as (
    select distinct old_unit_code, new_unit_code, effective_on
    from mart.unit_succession
    where succession_kind <> 'split'
),
walked as (
    select distinct unit_code, unit_code as rollup_unit_code, null::date as rolled_up_on, 0 as steps from mart.dim_unit
    union all
    select walked.unit_code, single.new_unit_code, single.effective_on, walked.steps + 1
    from walked inner join single on single.old_unit_code = walked.rollup_unit_code
    where walked.steps < 12 and single.new_unit_code <> walked.unit_code
)
select distinct on (walked.unit_code)
    walked.unit_code,
    walked.rollup_unit_code,
    walked.rolled_up_on,
    exists (
        select from mart.unit_succession as split
        where split.old_unit_code = walked.rollup_unit_code and split.succession_kind = 'split'
    ) as is_split
from walked
order by walked.unit_code, walked.steps desc;
comment on view mart.unit_rollup is '单位沿革归并 — Each unit and the one that carries its work on; itself where none does.';
comment on column mart.unit_rollup.unit_code is '单位编码 — The unit as duties name it.';
comment on column mart.unit_rollup.rollup_unit_code is '归并后单位 — The unit that carries its work on.';
comment on column mart.unit_rollup.rolled_up_on is '归并日期 — Day of the last step; null where there is none.';
comment on column mart.unit_rollup.is_split is '是否拆分 — Whether that unit was split: a report must say how its past is shared out.';
