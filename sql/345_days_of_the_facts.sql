-- The day in the city that each fact is counted by: nobody who reads the marts reckons with zones. A limit that ends at
-- 24:00 ends in the day before.
alter table mart.fct_case
add column received_on date,
add column closed_on date;

alter table mart.fct_timeliness
add column dispatched_on date,
add column due_on date,
add column closed_on date;

alter table mart.fct_satisfaction
add column called_on date;

update mart.fct_case
set
    received_on = (received_at at time zone mart.city_zone())::date,
    closed_on = (closed_at at time zone mart.city_zone())::date;

update mart.fct_timeliness
set
    dispatched_on = (dispatched_at at time zone mart.city_zone())::date,
    due_on = ((due_in_force_at - interval '1 microsecond') at time zone mart.city_zone())::date,
    closed_on = (closed_at at time zone mart.city_zone())::date;

update mart.fct_satisfaction
set called_on = (called_at at time zone mart.city_zone())::date;

insert into mart.relationship (from_table, from_column, to_table, to_column, is_complete) values
('fct_case', 'received_on', 'dim_date', 'date_on', false),
('fct_case', 'closed_on', 'dim_date', 'date_on', false),
('fct_timeliness', 'dispatched_on', 'dim_date', 'date_on', false),
('fct_timeliness', 'due_on', 'dim_date', 'date_on', false),
('fct_timeliness', 'closed_on', 'dim_date', 'date_on', false),
('fct_satisfaction', 'called_on', 'dim_date', 'date_on', false);
