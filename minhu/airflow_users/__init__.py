"""Who uses the pages and the API of Airflow: people by their own logins, and what each group may there."""
