-- Whether a citizen was reached has three answers, and every scale of satisfaction maps onto four levels.
alter table staging.callback add column reach_code text;
alter table mart.fct_satisfaction
    add column reach_code text,
    add column satisfaction_level text;
