"""What training in both frameworks shares, and what each adds."""
