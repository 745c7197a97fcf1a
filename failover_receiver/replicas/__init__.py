"""What several receivers on one PostgreSQL tell each other. Imported only where one is configured."""
