"""Which clients there are: what they are called, which keys and addresses they have. Pure: values in, values out."""
