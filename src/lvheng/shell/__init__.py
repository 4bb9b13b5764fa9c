"""What pages of every room are made of: who looks at what, wording, tables, figures."""
