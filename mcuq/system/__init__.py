"""Files and programs of this computer, so that whatever happens to them ends well."""
