-- What schemes say beyond the score: a rate drawn towards its peers', and the lists on which a unit stands.
alter table mart.fct_unit_indicator add column shrunken_value numeric;
alter table mart.fct_unit_score add column listed_on text;
