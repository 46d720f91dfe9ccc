"""The history of the catalogue's schema, oldest first in `versions`. `database.open_engine` applies what is missing."""
