"""The HJ 212 gateway: a 9014 is sent only after the packet is on stable storage."""
