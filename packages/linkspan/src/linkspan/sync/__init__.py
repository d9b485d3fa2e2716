"""Two-way sync of incidents: what changed on either side reaches the other once, or says why not."""
