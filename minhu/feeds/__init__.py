"""Feeds: how hotlines deliver and what their rows mean."""

from minhu.feeds.feed import Delivery, Feed, load_feed, load_feeds

__all__ = ["Delivery", "Feed", "load_feed", "load_feeds"]
