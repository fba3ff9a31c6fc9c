"""Mail: what is stored in a transaction is sent once it is committed, or visibly given up."""
