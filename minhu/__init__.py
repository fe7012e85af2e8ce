"""The data warehouse of a city's government hotlines: feeds in, facts and explained unit scores out."""
