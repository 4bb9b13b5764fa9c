"""绿衡 Lvheng: runs a Chinese city's energy-saving and emission-reduction work plan."""

__version__ = "0.1.0"
