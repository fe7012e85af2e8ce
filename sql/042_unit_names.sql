-- What every name of a unit means over time. A name may move from one unit to another, and outlive its unit.
create table mart.dim_unit_name (
    unit_name text not null,
    valid_from date,
    valid_to date,
    unit_code text,
    unit_codes text not null,
    resolution text not null,
    unique nulls not distinct (unit_name, valid_from)
);
