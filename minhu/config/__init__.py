"""What a city wrote, brought into the database as versioned rows.

    city        ``city.yml``
    registers   units, successions, calendar, categories, areas
    unit_names  what a unit's name means on a day
    entries     all of it with feeds and schemes, by (kind, key)
    versions    the entries as rows of ``config``

Kinds: city, repeat_rule, reading, gaming, quality, feed_quality, bulletin, appeal_term, feed, feed_unit, delivery,
retention, unit, unit_name, unit_succession, calendar_day, category, area, scheme, limit_rule.
"""

from minhu.config.city import City, Readings
from minhu.config.entries import check_feeds, read_config, schemes_in_force
from minhu.config.registers import Entries
from minhu.config.versions import assert_in_force, sync

__all__ = ["City", "Entries", "Readings", "assert_in_force", "check_feeds", "read_config", "schemes_in_force", "sync"]
