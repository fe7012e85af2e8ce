-- What a reader of the marts joins instead of guessing: the words of every code, how tables hang together, and of each
-- day the year, quarter, month and week that it is in. Builds write the words anew; comments come from the dbt project.
create table mart.dim_code (
    vocabulary text not null,
    code text not null,
    label_zh text not null,
    label_en text not null,
    sort_no integer not null,
    primary key (vocabulary, code)
);
grant select on mart.dim_code to minhu_unit;

create table mart.relationship (
    from_table text not null,
    from_column text not null,
    to_table text not null,
    to_column text not null,
    is_complete boolean not null,
    primary key (from_table, from_column, to_table)
);
grant select on mart.relationship to minhu_unit;

insert into mart.relationship (from_table, from_column, to_table, to_column, is_complete) values
('fct_case', 'feed_code', 'dim_feed', 'feed_code', true),
('fct_case', 'root_case_id', 'fct_case', 'case_id', true),
('fct_case', 'repeat_of_case_id', 'fct_case', 'case_id', true),
('fct_case', 'category_code', 'dim_category', 'category_code', false),
('fct_case', 'area_code', 'dim_area', 'area_code', false),
('fct_timeliness', 'case_id', 'fct_case', 'case_id', true),
('fct_timeliness', 'unit_key', 'dim_unit', 'unit_key', true),
('fct_timeliness', 'superseded_by_assignment_id', 'fct_timeliness', 'assignment_id', true),
('fct_satisfaction', 'case_id', 'fct_case', 'case_id', true),
('fct_satisfaction', 'assignment_id', 'fct_timeliness', 'assignment_id', true),
('fct_satisfaction', 'unit_key', 'dim_unit', 'unit_key', true),
('fct_violation', 'case_id', 'fct_case', 'case_id', true),
('fct_violation', 'assignment_id', 'fct_timeliness', 'assignment_id', true),
('fct_violation', 'unit_key', 'dim_unit', 'unit_key', true),
('fct_exclusion', 'case_id', 'fct_case', 'case_id', true),
('fct_exclusion', 'assignment_id', 'fct_timeliness', 'assignment_id', true),
('fct_event', 'case_id', 'fct_case', 'case_id', true),
('fct_event', 'assignment_id', 'fct_timeliness', 'assignment_id', true),
('fct_event', 'unit_key', 'dim_unit', 'unit_key', true),
('fct_unit_score', 'unit_key', 'dim_unit', 'unit_key', true),
('fct_unit_indicator', 'unit_key', 'dim_unit', 'unit_key', true),
('agg_day', 'day_on', 'dim_date', 'date_on', true),
('agg_day', 'unit_key', 'dim_unit', 'unit_key', true),
('agg_day', 'feed_code', 'dim_feed', 'feed_code', true),
('agg_day', 'category_code', 'dim_category', 'category_code', false),
('agg_day', 'area_code', 'dim_area', 'area_code', false);

alter table mart.dim_date
add column year_no integer,
add column quarter text,
add column month text,
add column iso_week text,
add column weekday_no integer,
add column weekday_zh text,
add column weekday_en text;

update mart.dim_date
set
    year_no = extract(year from date_on)::integer,
    quarter = to_char(date_on, 'YYYY-"Q"Q'),
    month = to_char(date_on, 'YYYY-MM'),
    iso_week = to_char(date_on, 'IYYY-"W"IW'),
    weekday_no = extract(isodow from date_on)::integer,
    weekday_zh = '星期' || substr('一二三四五六日', extract(isodow from date_on)::integer, 1),
    weekday_en = trim(to_char(date_on, 'Day'));

-- Tools find relations by foreign keys. None is checked: builds see to it that they hold.
do $$
declare
    one record;
begin
    if current_setting('server_version_num')::integer >= 180000 then
        for one in select * from mart.relationship where is_complete order by from_table, from_column loop
            execute format(
                'alter table mart.%I add constraint %I foreign key (%I) references mart.%I (%I) not enforced',
                one.from_table, one.from_table || '_' || one.from_column || '_leads', one.from_column, one.to_table,
                one.to_column
            );
        end loop;
    end if;
end $$;
