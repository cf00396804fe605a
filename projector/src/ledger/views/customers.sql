select log, customer, profile, metadata, forgotten, registered_position, registered_at, changed_position as position
from customers
