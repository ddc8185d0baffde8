"""The proof of the access log: entries chained per organisation, and the ends of the chains signed.

The application's role only inserts entries (server/audit.py). A worker chains them (`sealer`) and signs the ends of the chains
every half minute (`heads`).
"""
