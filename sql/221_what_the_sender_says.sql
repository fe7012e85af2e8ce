-- What a hotline says of a case's state, for those who compare its word with what was done. Cases that lie here get it
-- when they are built next.
alter table mart.fct_case
add column sender_status text;
