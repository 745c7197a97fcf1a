"""A receiver's followers: edges that hold watchers and serve its documents, in other processes or on other hosts."""
