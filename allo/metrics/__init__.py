"""What the processes of one machine count, each in files of its own that `/metrics` adds up."""
