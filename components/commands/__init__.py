"""Words of the command line about components. They are imported when somebody types them, and never by a component."""
