"""Tables of an instance into the warehouse: complete, restartable, without what shall not leave."""
