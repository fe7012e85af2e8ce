-- A unit reads the schemes already; since when each version stands, too.
grant select (config_version, loaded_at) on config.version to minhu_unit;
