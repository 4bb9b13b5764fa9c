"""Filing: forms as data, the ways in, and the workflow from draft to accepted figures."""
