"""Feeds: how hotlines deliver and what their rows mean."""

from minhu.feeds.feed import EVERY_DELIVERY, Delivery, Feed, load_feed, load_feeds, read_feed, readable_feeds

__all__ = ["EVERY_DELIVERY", "Delivery", "Feed", "load_feed", "load_feeds", "read_feed", "readable_feeds"]
