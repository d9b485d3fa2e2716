"""Who is asking (credentials, identity, roles) and what they may do (gates, access controls)."""
